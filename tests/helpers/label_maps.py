"""Label maps of any classes."""

from __future__ import annotations

from hypothesis import strategies as st

from tfrec_tools.labels.label_map import from_names

# Letters that no case or Unicode form makes another, so that any two names are two classes.
NAMES = st.text(alphabet="abc", min_size=1, max_size=3)
MAPS = st.lists(NAMES, unique=True, max_size=8).map(from_names)
