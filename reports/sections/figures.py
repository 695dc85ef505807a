"""The section `figures`: every registered figure, by group."""

from ..figures import all_figures
from ..percentile import Groups
from ..registry import section
from ..rows import Rows


@section("figures")
def figures(rows: Rows) -> dict[str, Groups]:
    """Every figure by name."""
    return all_figures(rows)
