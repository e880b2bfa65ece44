"""Texts made to crash, stall or swell what reads them: {kind of reader/name of the file: bytes}."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

DEEP = 100_000
_HEADER = "filename,width,height,class,xmin,ymin,xmax,ymax"
_CATEGORIES = '"categories":[{"id":1,"name":"a"}]'
_LETTERS = "abcdefghi"
TOOLS = {  # {format of a tool: what stands around its list of objects}
    "labelme": ('{"shapes":', "}"),
    "labelstudio": ('[{"data":{"image":"a.jpg"},"annotations":[{"result":', "}]}]"),
    "vott": ('{"asset":{"name":"a.jpg"},"regions":', "}"),
    "createml": ('[{"image":"a.jpg","annotations":', "}]"),
    "supervisely": ('{"size":{},"objects":', "}"),
    "via": ('{"a.jpg1":{"filename":"a.jpg","size":1,"regions":', "}}"),
}


def texts() -> dict[str, bytes]:
    """Returns all of them; in the words of a person, none is an annotation."""
    return {
        name: text.encode() for name, text in (*_csv(), *_nested(), *_yaml(), *_numbers(), *_voc(), *_cvat())
    }


def refused() -> frozenset[str]:
    """Returns those that may end only in a fault of the input, never in a Source of something else."""
    sound = ("csv/long_cell.csv", "coco/nonnumbers.json", "voc/comment.xml", "voc/instruction.xml")
    of_cvat = ("cvat/mask.xml", "cvat/attribute.xml")
    return frozenset(texts()) - {
        *sound,
        *of_cvat,
        *(f"csv_cells/{name}.csv" for name in ("deep", "digits", "long", "separators")),
        "automl/deep.jsonl",
        "automl/digits.jsonl",
        "classes/integer.yaml",
        "classes/date.yaml",
        "classes/binary.yaml",
    }


def _csv() -> Iterator[tuple[str, str]]:
    yield "csv/long_cell.csv", f"{_HEADER}\na.jpg,10,10,{'x' * 200_000},1,1,5,5\n"
    yield "csv/long_header.csv", f"{_HEADER},{'x' * 200_000}\na.jpg,10,10,c,1,1,5,5,\n"
    yield "csv/open_quote.csv", f'{_HEADER}\na.jpg,10,10,"' + "x\n" * 200_000
    yield "csv_blocks/open_quote.csv", f'{_HEADER}\na.jpg,10,10,"' + "x\n" * 200_000
    yield "csv_cells/deep.csv", f"file,class,bbox\na.jpg,c,{'[' * DEEP}:\n"
    yield "csv_cells/digits.csv", "file,class,bbox\na.jpg,c,\"{'x': " + "9" * 6000 + '}"\n'
    yield "csv_cells/long.csv", f"file,class,bbox\na.jpg,c,{'1 ' * 200_000}\n"
    yield "csv_cells/separators.csv", f"file,class,bbox\na.jpg,c,{'[1;' * 200_000}\n"
    columns = "filename,region_shape_attributes,region_attributes"
    yield "via_csv/deep.csv", f"{columns}\na.jpg,{'[' * DEEP},{{}}\n"
    yield "via_csv/open_quote.csv", f'{columns}\na.jpg,"' + "x\n" * 200_000
    row = "TRAIN,gs://b/a.jpg,c,0,0,,,1,1,,\n"
    yield "automl/open_quote.csv", row + 'TRAIN,gs://b/a.jpg,"' + "x\n" * 200_000
    yield "automl/deep.jsonl", '{"imageGcsUri":"a","boundingBoxAnnotations":' + "[" * DEEP
    yield "automl/digits.jsonl", '{"imageGcsUri":"gs://b/a.jpg","x":' + "9" * 6000 + "}"


def _nested() -> Iterator[tuple[str, str]]:
    opened, closed = "[" * DEEP, "]" * DEEP
    yield "classes/item.pbtxt", "item " + "{" * DEEP
    yield "classes/field.pbtxt", 'item { id: 1 name: "a" unknown ' + "{ a " * DEEP
    yield "classes/list.json", opened
    yield "classes/object.json", '{"a":' * DEEP
    yield "classes/list.yaml", opened
    yield "classes/mapping.yaml", "{a: " * DEEP
    yield "options/list.toml", f"a = {opened}{closed}"
    yield "options/table.toml", f"[{'a.' * DEEP}b]\nx = 1"
    yield "options/digits.toml", "a = " + "9" * 6000
    yield "manifest/list.json", f'{{"format_version":{opened}{closed}}}'
    yield "config/block.config", "model { ssd " + "{ a " * DEEP + "}" * DEEP + "}}"
    yield "config/level.config", "model { ssd { a { max_level: 1e999 " + "[" * DEEP
    image = f'"images":[{{"id":1,"file_name":"a.jpg","x":{opened}{closed}}}],"annotations":[]'
    yield "coco/image.json", f"{{{image},{_CATEGORIES}}}"
    annotation = f'{{"image_id":1,"category_id":1,"segmentation":{opened}{closed}}}'
    yield "coco/mask.json", f'{{"images":[{{"id":1}}],"annotations":[{annotation}],{_CATEGORIES}}}'
    yield "voc/nested.xml", "<annotation>" + "<object>" * DEEP
    for kind, (head, tail) in TOOLS.items():
        yield f"{kind}/nested.json", f"{head}{opened}{closed}{tail}"
        yield f"{kind}/digits.json", f"{head}{'9' * 6000}{tail}"


def _yaml() -> Iterator[tuple[str, str]]:
    """Anchors of anchors: 400 bytes that stand for a billion values."""
    again = {name: ",".join([f"*{name}"] * 9) for name in _LETTERS}
    lists = "".join(f"{b}: &{b} [{again[a]}]\n" for a, b in pairwise(_LETTERS))
    merged = "".join(f"{b}: &{b} {{<<: [{again[a]}]}}\n" for a, b in pairwise(_LETTERS))
    for kind in ("classes", "yolo"):
        yield f"{kind}/laughs.yaml", f"a: &a [{','.join('x' * 9)}]\n{lists}names: *i\ntrain: .\n"
        yield f"{kind}/merged.yaml", f"a: &a {{x: 1}}\n{merged}names: [a]\ntrain: .\n"
        yield f"{kind}/itself.yaml", "names: &a [*a]\n"
        yield f"{kind}/integer.yaml", 'names: [a]\ntrain: !!int ""\n'
        yield f"{kind}/date.yaml", 'names: [a]\ntrain: !!timestamp "99-99"\n'
        yield f"{kind}/binary.yaml", "names: [a]\ntrain: !!binary é\n"
    yield "yolo/sixties.yaml", "names: [a]\ntrain: 1" + ":59" * DEEP


def _numbers() -> Iterator[tuple[str, str]]:
    """NaN and Infinity, which JSON has not, texts for numbers, and numbers of no size."""
    nan = '{"id":1,"image_id":1,"category_id":1,"bbox":[NaN,1,Infinity,3]}'
    texts_ = '{"id":"x","image_id":"1","category_id":"1","bbox":["1","a",3,4]}'
    image = '{"id":1,"file_name":"a.jpg","width":NaN,"height":Infinity}'
    yield (
        "coco/nonnumbers.json",
        f'{{"images":[{image}],"annotations":[{nan},{texts_}],{_CATEGORIES}}}',
    )
    yield "coco/large_id.json", f'{{"images":[{{"id":{"9" * 6000}}}],"annotations":[],{_CATEGORIES}}}'
    yield (
        "coco/endless.json",
        '{"images":[],"annotations":[],"categories":[{"id":1e999,"name":"b"}]}',
    )


def _voc() -> Iterator[tuple[str, str]]:
    """Numbers in two pieces: what stands between them may not cut the second off."""
    yield "voc/comment.xml", voc("3<!-- -->0")
    yield "voc/instruction.xml", voc("3<?pi?>0")
    yield "voc/entity.xml", '<!DOCTYPE annotation [<!ENTITY x "0">]>' + voc("3&x;")
    laughs = "".join(f'<!ENTITY {b} "{f"&{a};" * 9}">' for a, b in pairwise(_LETTERS))
    yield "voc/laughs.xml", f'<!DOCTYPE annotation [<!ENTITY a "x">{laughs}]>' + voc("&i;")
    attribute = f'<!DOCTYPE annotation [<!ENTITY a "x">{laughs}]><annotation a="&i;"></annotation>'
    yield "voc/laughs_of_an_attribute.xml", attribute
    yield "voc/file.xml", '<!DOCTYPE annotation [<!ENTITY x SYSTEM "/etc/passwd">]>' + voc("3&x;")


def voc(xmax: str) -> str:
    box = f"<bndbox><xmin>1</xmin><ymin>1</ymin><xmax>{xmax}</xmax><ymax>9</ymax></bndbox>"
    size = "<size><width>40</width><height>40</height></size>"
    return f"<annotation><filename>a.jpg</filename>{size}<object><name>a</name>{box}</object></annotation>"


def _cvat() -> Iterator[tuple[str, str]]:
    """Masks and frames without end, entities, and elements in elements."""
    image = '<image name="a.jpg" width="9" height="9">'
    mask = '<mask label="a" rle="0,9999999999999999" left="0" top="0" width="99999999" height="99999999"/>'
    yield "cvat/mask.xml", f"<annotations>{image}{mask}</image></annotations>"
    task = "<start_frame>0</start_frame><stop_frame>999999999</stop_frame>"
    box = '<box frame="999999999" outside="0" keyframe="0" xtl="1" ytl="1" xbr="5" ybr="5"/>'
    frames = f"<meta><task>{task}</task></meta><track label='a'>{box}</track>"
    yield "cvat/frames.xml", f"<annotations>{frames}</annotations>"
    yield "cvat/nested.xml", "<annotations>" + image * DEEP
    yield "cvat/attribute.xml", f"<annotations>{image}<box label='{'x' * 1_000_000}'/></image></annotations>"
    laughs = "".join(f'<!ENTITY {b} "{f"&{a};" * 9}">' for a, b in pairwise(_LETTERS))
    typed = f'<!DOCTYPE annotations [<!ENTITY a "x">{laughs}]>'
    yield "cvat/laughs.xml", f"{typed}<annotations>{image}<box label='&i;'/></image></annotations>"
    yield "cvat/laughs_of_the_root.xml", f"{typed}<annotations a='&i;'>{image}</image></annotations>"


def _rows() -> Iterator[tuple[str, str]]:
    """Words without end, and lines that only some systems know."""
    yield "kitti/words.txt", "Car" + " 1" * 500_000
    yield "kitti/name.txt", "x" * 1_000_000 + " 1 1 1"
    yield "dota/words.txt", "1 " * 500_000 + "ship 0"
    yield "dota/lines.txt", "\u2028".join(["1 1 2 1 2 2 1 2"] * 1000)
