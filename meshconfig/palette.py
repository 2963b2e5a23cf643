"""The colours of lanes, the same in every picture and page, for people with any kind of colour vision.

They differ by a CIE76 distance of 20 or more for normal vision, protanopia, deuteranopia and tritanopia, and have a
contrast of 3 : 1 or more to white and to a dark background, as WCAG 2.2 (1.4.11) asks of graphics. A colour is never
the only sign: pictures name the lane beside it.
"""

import zlib
from collections.abc import Iterable

BASELINE = "#0077bb"
LANES = ("#ee6611", "#8822ff", "#885555", "#ff11dd", "#aa88aa", "#aa4411", "#cc7755")
REFUSED = "#777777"
LINE = "#555555"


def colours(lanes: Iterable[str], baseline: str) -> dict[str, str]:
    """The colour of each lane. The baseline's is its own; another's comes from its name, so that it mostly keeps its
    colour when lanes come and go. Lanes share colours only where there are more lanes than colours.

    Parameters:
        lanes: names in any order.
        baseline: the lane of requests without a tag.
    """
    found = {baseline: BASELINE}
    free: list[str] = []
    for lane in sorted({*lanes} - {baseline}):
        free = free or list(LANES)
        wanted = LANES[zlib.crc32(lane.encode()) % len(LANES)]
        found[lane] = wanted if wanted in free else free[0]
        free.remove(found[lane])
    return found
