"""A program that supervises a server until it is killed: `FOLDER` is its data folder."""

import asyncio
import sys
from pathlib import Path

from telecine.db.embedded import EmbeddedPostgres


async def main(home: str) -> None:
    postgres = EmbeddedPostgres(Path(home))
    await postgres.start()
    assert postgres.process is not None
    sys.stdout.write(f"{postgres.process.pid}\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
