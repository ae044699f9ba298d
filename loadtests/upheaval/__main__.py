"""Command: the upheavals, one after the other; prints what each counted, and judges it.

Usage  python -m loadtests.upheaval [ONLY=restarts,kills,abandoned] [COUNT=requests] [SECONDS=s] [SEED=number]

COUNT     requests of `restarts` at least (default 1,000,000)
SECONDS   of `kills` (default 300); `abandoned` takes twice as long
SEED      of what is killed when
Exits 1 when a promise is broken.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

from loadtests.compare.callers import raise_file_limit
from loadtests.compare.load import LoadError
from loadtests.process import end_on_term
from loadtests.settings import Settings
from loadtests.tools import ToolError
from loadtests.upheaval.abandoned import abandoned
from loadtests.upheaval.kills import kills
from loadtests.upheaval.machine import CommandError, Machine
from loadtests.upheaval.promise import Promise
from loadtests.upheaval.restarts import restarts

PROGRAMS: dict[str, Callable[[Machine, Settings], Awaitable[None]]] = {
    "restarts": restarts,
    "kills": kills,
    "abandoned": abandoned,
}


async def run(name: str, settings: Settings) -> bool:
    """Whether it held."""
    print(f"{name}: {PROGRAMS[name].__doc__}", flush=True)
    with tempfile.TemporaryDirectory(prefix="penstock-upheaval-", ignore_cleanup_errors=True) as folder:
        machine = Machine(Path(folder))
        try:
            await machine.up()
            await PROGRAMS[name](machine, settings)
        except (Promise, CommandError, LoadError, ToolError, OSError) as e:
            print(f"  BROKEN: {e}\n{machine.log()}", flush=True)
            return False
        finally:
            with suppress(CommandError):
                await machine.penstock("down")
            machine.killed()
    print("  held", flush=True)
    return True


def main() -> int:
    settings = Settings(
        "loadtests.upheaval",
        {"ONLY": ",".join(PROGRAMS), "COUNT": "1000000", "SECONDS": "300", "SEED": "1"},
        numbers=("COUNT", "SECONDS", "SEED"),
        words={"ONLY": PROGRAMS},
    ).read()
    if settings.complain():
        return 2
    end_on_term()
    raise_file_limit()
    held = [asyncio.run(run(name, settings)) for name in settings.words("ONLY")]
    return 0 if all(held) else 1


if __name__ == "__main__":
    sys.exit(main())
