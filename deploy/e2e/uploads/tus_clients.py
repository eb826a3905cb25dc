"""tuspy and aiotus, one upload after another as they are asked for: a line of JSON in, a line of JSON out.

What they do on the wire is theirs: requests, pieces, retries. Of aiotus only its inner functions are used, since its
outer ones take no `Location` without a host.
"""

import asyncio
import json
import os
import sys
import time

import aiohttp
import aiotus.core
import aiotus.creation
import tusclient.exceptions
import yarl
from tusclient.client import TusClient

RETRIES = 150
DELAY = 0.4


class Told:
    """The offsets that a server tells: they never go down."""

    def __init__(self):
        self.highest = 0
        self.wrong = []

    def take(self, offset):
        if offset < self.highest:
            self.wrong.append(f"told {self.highest}, and then {offset}")
        self.highest = max(self.highest, offset)
        return offset


def again(attempt, told):
    """Tries until it succeeds; what the clients themselves do not retry is a new request of ours, counted."""
    for number in range(1, RETRIES):
        try:
            return attempt(), number
        except (tusclient.exceptions.TusCommunicationError, tusclient.exceptions.TusUploadFailed) as error:
            status = getattr(error, "status_code", None)
            if status is not None and 400 <= status < 500 and status not in (409, 423, 429):
                raise
            time.sleep(DELAY)
    raise TimeoutError(f"{RETRIES} tries; told {told.highest}")


def with_tuspy(order, told):
    client = TusClient(order["endpoint"], headers={"Authorization": order["authorization"]})
    uploader = client.uploader(
        order["file"], chunk_size=order["chunk"], metadata={"filename": order["name"]}, retries=RETRIES,
        retry_delay=DELAY, upload_checksum=order.get("checksum", False))
    asked = uploader.get_offset
    uploader.get_offset = lambda: told.take(asked())
    url, tries = again(uploader.create_url, told)
    uploader.set_url(url)
    size = os.path.getsize(order["file"])
    uploader.stop_at = size
    while uploader.offset < size:
        _, more = again(uploader.upload_chunk, told)
        told.take(uploader.offset)
        tries += more - 1
        time.sleep(order["pause"])
    return uploader.url, tries


class Aiotus:
    """As a whole, or in parts that are put together."""

    def __init__(self, order, told, session):
        self.order, self.told, self.session = order, told, session
        self.endpoint = yarl.URL(order["endpoint"])
        self.headers = {"Authorization": order["authorization"]}
        self.tries = 0

    async def tried(self, attempt):
        for _ in range(RETRIES):
            self.tries += 1
            try:
                return await attempt()
            except aiohttp.ClientResponseError as error:
                if 400 <= error.status < 500 and error.status not in (409, 423, 429):
                    raise
            except (aiohttp.ClientError, OSError):
                pass
            await asyncio.sleep(DELAY)
        raise TimeoutError(f"{RETRIES} tries")

    async def create(self, file, metadata, **more):
        return self.endpoint.join(await self.tried(lambda: aiotus.creation.create(
            self.session, self.endpoint, file, metadata, headers={**self.headers, **more})))

    async def offset(self, place):
        return await aiotus.core.offset(self.session, place, headers=self.headers)

    async def send(self, path, metadata, told, **more):
        with open(path, "rb") as file:
            place = await self.create(file, metadata, **more)

            async def pieces():
                told.take(await self.offset(place))
                await aiotus.core.upload_buffer(
                    self.session, place, file, chunksize=self.order["chunk"], headers=self.headers)

            await self.tried(pieces)
        return place

    async def upload(self):
        named = {"filename": self.order["name"].encode()}
        paths = self.order.get("parts")
        if not paths:
            return str(await self.send(self.order["file"], named, self.told))
        parts = await asyncio.gather(
            *(self.send(path, {}, Told(), **{"Upload-Concat": "partial"}) for path in paths))
        final = "final;" + " ".join(part.path for part in parts)
        place = await self.create(None, named, **{"Upload-Concat": final})

        async def seen():
            """Its offset is told when it is a file."""
            try:
                await self.offset(place)
            except aiotus.ProtocolError as error:
                raise aiohttp.ClientPayloadError("without an offset") from error

        await self.tried(seen)
        return str(place)


async def with_aiotus(order, told):
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(sock_read=90)) as session:
        client = Aiotus(order, told, session)
        return await client.upload(), client.tries


def serve():
    for line in sys.stdin:
        order, told = json.loads(line), Told()
        answer = {"ok": False}
        try:
            if order["client"] == "tuspy":
                url, tries = with_tuspy(order, told)
            else:
                url, tries = asyncio.run(with_aiotus(order, told))
            answer = {"ok": True, "url": url, "tries": tries}
        except Exception as error:  # Whatever it is, it is reported.
            body = getattr(error, "response_content", b"") or b""
            answer["problem"] = f"{type(error).__name__}: {error} {body[:300]!r}"
        print(json.dumps({**answer, "wrong": told.wrong}), flush=True)


if __name__ == "__main__":
    serve()
