"""What we write as TOML is read back as it was."""

import tomllib
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from bridge.config.tomltext import lines

KEYS = st.text()
SCALARS = st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text() | st.datetimes()
VALUES = st.recursive(SCALARS, lambda of: st.lists(of, max_size=4) | st.dictionaries(KEYS, of, max_size=4))


@given(table=st.dictionaries(KEYS, VALUES, max_size=4))
def test_every_table_comes_back(table: dict[str, Any]) -> None:
    assert tomllib.loads("\n".join(lines(table))) == table
