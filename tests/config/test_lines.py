import tomllib

from tocsin.config.lines import lines

TEXT = '''# a comment = 1
title = "x"   # [not a table]
text = """
[people.nobody]
key = 1
"""
[people."Ana B.".inner]
notify = [ # one
  {after = "0m"}, # [two]
]
a.b.'c d' = 3

[[probes]]
name = 'it''s'
[probes.labels]
x = "]"
[[probes]]
name = "two"
'''.replace("'it''s'", "'its'")


def test_every_key_and_table_has_its_line() -> None:
    tomllib.loads(TEXT)
    places = lines(TEXT)
    inner = ("people", "Ana B.", "inner")
    assert [places.of(k) for k in (("title",), ("text",), inner, (*inner, "notify"))] == [2, 3, 7, 8]
    assert places.of((*inner, "a", "b", "c d")) == places.of((*inner, "a")) == 11


def test_lists_of_tables_count_from_zero_and_own_the_tables_below_them() -> None:
    places = lines(TEXT)
    assert [places.of(("probes", n)) for n in (0, 1)] == [13, 17]
    assert [places.of(("probes", 0, "labels", "x")), places.of(("probes", 1, "name"))] == [16, 18]


def test_what_is_missing_is_at_the_thing_around_it() -> None:
    places = lines(TEXT)
    assert places.of(("probes", 1, "url")) == 17
    assert places.of(("people", "Ana B.", "inner", "notify", 0, "via")) == 8
    assert places.of(("nothing",)) == 1
    assert places.table(("probes", 0, "labels", "x")) == ("probes", 0, "labels")
    assert places.table(("title",)) == ()


def test_text_in_a_string_is_no_key() -> None:
    assert ("people", "nobody") not in lines(TEXT).tables
