"""The part of S3 that writers need: objects, conditions, and multipart uploads. Fails on demand as `rangeserver`."""

from __future__ import annotations

import re
import uuid
from urllib.parse import parse_qs, urlsplit

from rangeserver import Handler


class BucketHandler(Handler):
    def do_DELETE(self) -> None:  # noqa: N802
        self.do_GET()

    @property
    def query(self) -> dict[str, str]:
        found = parse_qs(urlsplit(self.path).query, keep_blank_values=True)
        return {name: values[0] for name, values in found.items()}

    def serve(self, path: str) -> None:
        if self.command in ("GET", "HEAD"):
            super().serve(path)
        elif self.command == "POST" and "delete" in self.query:
            self.delete_many(path)
        elif "uploads" in self.query or "uploadId" in self.query:
            self.serve_upload(path)
        elif self.command == "DELETE":
            self.site.objects.pop(path, None)
            self.answer(204, b"")
        elif self.headers.get("If-None-Match") == "*" and path in self.site.objects:
            self.answer(412, b"")
        else:
            self.site.replace(path, self.body)
            self.answer(200, b"", ETag=self.site.tag(path))

    def serve_upload(self, path: str) -> None:
        name, uploads = self.query.get("uploadId", ""), self.site.uploads
        if "uploads" in self.query:
            name = uuid.uuid4().hex
            uploads[name] = {}
            self.answer_xml("InitiateMultipartUploadResult", UploadId=name, Bucket="b", Key=path)
        elif name not in uploads:
            self.answer(404, b"<Error><Code>NoSuchUpload</Code></Error>")
        elif self.command == "PUT":
            uploads[name][int(self.query["partNumber"])] = self.body
            self.answer(200, b"", ETag=f'"{self.query["partNumber"]}"')
        elif self.command == "DELETE":
            uploads.pop(name)
            self.answer(204, b"")
        else:
            parts, wanted = uploads.pop(name), re.findall(rb"<PartNumber>(\d+)<", self.body)
            self.site.replace(path, b"".join(parts[int(number)] for number in wanted))
            self.answer_xml("CompleteMultipartUploadResult", ETag=self.site.tag(path), Bucket="b", Key=path)

    def delete_many(self, path: str) -> None:
        keys = re.findall(rb"<Key>([^<]*)</Key>", self.body)
        for key in keys:
            self.site.objects.pop(f"{path.rstrip('/')}/{key.decode()}", None)
        told = b"".join(b"<Deleted><Key>%s</Key></Deleted>" % key for key in keys)
        self.answer_xml("DeleteResult", told.decode())

    def serve_and_reset(self, path: str) -> None:
        """Carry the request out, but send no answer."""
        answer, self.answer = self.answer, lambda *args, **headers: None  # type: ignore[method-assign]
        self.serve(path)
        self.answer = answer  # type: ignore[method-assign]
        self.reset(path)

    def answer_xml(self, name: str, inner: str = "", **values: str) -> None:
        inner += "".join(f"<{key}>{value}</{key}>" for key, value in values.items())
        self.answer(200, f'<?xml version="1.0"?><{name}>{inner}</{name}>'.encode())
