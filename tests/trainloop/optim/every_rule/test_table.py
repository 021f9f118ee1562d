"""The table has every rule, and says nothing that no test asks for."""

import trainloop.optim


def test_every_rule_has_a_row(table):
    assert {rule.ours.__name__ for rule in table} == set(trainloop.optim.__all__)
    assert len({rule.name for rule in table}) == len(table)


def test_everything_named_in_a_row_exists(table, duties):
    names = {rule.name for rule in table}
    for rule in table:
        assert rule.lacks.keys() <= duties.keys(), rule.name
        assert rule.accepts.keys() <= names - {rule.name}, rule.name


def test_every_duty_is_lacked_by_some_and_done_by_others(table, duties):
    for duty in duties:
        assert 0 < sum(rule.has({duty}) for rule in table) < len(table), duty
