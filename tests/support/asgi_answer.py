"""An ASGI app's answer, run to its end: what an app returns is awaitable, and asyncio.run asks for a coroutine."""

import asyncio
from collections.abc import Awaitable


def run_app(answer: Awaitable[None]) -> None:
    async def main() -> None:
        await answer

    asyncio.run(main())
