"""Contexts made current for the time of a block, and taken back however the block ends.

OpenTelemetry's `detach` takes a token, which is good in the thread or task where it was made. Elsewhere it logs an
error and restores nothing; and where blocks do not end in the reverse order of their beginning, it restores what is
over. Here each thread and task knows which blocks are around its work, and what was current before each.
"""

from contextvars import ContextVar, Token

from opentelemetry.context import Context, attach, get_current


class _Block:
    """One block, entered once. `over` is for those that do not see it end: it ended in another thread or task."""

    __slots__ = ("context", "over", "owner", "token")

    def __init__(self, owner: object, context: Context) -> None:
        self.owner, self.context, self.over = owner, context, False
        self.token: Token[Blocks] | None = None


# The blocks around the work at hand, the innermost last, each with what was current before it.
Blocks = tuple[tuple[_Block, Context], ...]
AROUND: ContextVar[Blocks] = ContextVar("propagation_blocks", default=())


class Attaching:
    """A context manager that makes a context current; one can be entered many times at once, by threads and by tasks.

    whole: whether blocks that were entered inside and did not end are over with it.
    """

    def __init__(self, whole: bool = False) -> None:
        self._whole = whole
        self._open: set[_Block] = set()

    def attach(self, context: Context) -> None:
        """Enter a block in which `context` is the current one."""
        block = _Block(self, context)
        self._open.add(block)
        block.token = AROUND.set((*AROUND.get(), (block, current())))
        attach(context)

    def detach(self) -> None:
        """End the innermost block of this manager that is around the work at hand."""
        around = AROUND.get()
        for index in range(len(around) - 1, -1, -1):
            if around[index][0].owner is self:
                self._end(around, index)
                return
        # A generator's block that ends where its code never ran. Who ran it finds out when it next looks.
        if len(self._open) == 1:
            self._open.pop().over = True

    def _end(self, around: Blocks, index: int) -> None:
        block, before = around[index]
        block.over = True
        self._open.discard(block)
        inside = () if self._whole else around[index + 1 :]
        if inside:
            # Those further in go on; what they restore is not this block's any more.
            inside = ((inside[0][0], before), *inside[1:])
        else:
            attach(before)
        AROUND.set((*around[:index], *inside))


def current() -> Context:
    """OpenTelemetry's current context, without what is left of blocks that ended in another thread or task.

    An async generator that is not read to its end leaves its block's context in its reader: the event loop closes it in
    a task of its own.
    """
    around = AROUND.get()
    if around and around[-1][0].over:
        _take_back(around)
    return get_current()


def _take_back(around: Blocks) -> None:
    while around and around[-1][0].over:
        block, before = around[-1]
        around = around[:-1]
        # Tasks that were begun inside the block have its context for good, as copies of their own.
        if _began_here(block) and get_current() is block.context:
            attach(before)
    AROUND.set(around)


def _began_here(block: _Block) -> bool:
    """Whether the work at hand is what entered `block`, and no copy of it. Says so once."""
    if block.token is None:
        return False
    try:
        AROUND.reset(block.token)
    except ValueError:
        return False
    block.token = None
    return True


def start_clean(context: Context) -> None:
    """Make `context` current, with no block around: for a process that was forked off inside some."""
    AROUND.set(())
    attach(context)
