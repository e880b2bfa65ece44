"""What is downloaded: never over a way on which others could change it."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.error import URLError
from urllib.parse import urlsplit


class _HttpsStays(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, req: urllib.request.Request, fp: Any, *rest: Any) -> Any:
        """Raises URLError where an https address sends on to another kind."""
        newurl = str(rest[-1])
        if urlsplit(req.full_url).scheme == "https" and urlsplit(newurl).scheme != "https":
            raise URLError(
                f"{req.full_url} redirects to {newurl}, expected an address that begins with https://"
            )
        return super().redirect_request(req, fp, *rest)


@contextmanager
def https_stays() -> Iterator[None]:
    """Whoever downloads by urllib meanwhile, as Keras does, is not redirected from https to http. Nobody
    publishes checksums of the zoo's archives and of MobileNetV2's weights; Keras checks the ResNets'."""
    before = getattr(urllib.request, "_opener", None)
    urllib.request.install_opener(urllib.request.build_opener(_HttpsStays))
    try:
        yield
    finally:
        urllib.request.install_opener(before)
