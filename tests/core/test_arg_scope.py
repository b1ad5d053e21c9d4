"""Shared defaults: nesting, local override, threads and tasks, faults, and explanations."""

import asyncio
import contextlib
import inspect
import threading

import pytest

import slimcore as slim
from slimcore.errors import ArgScopeError


@slim.add_arg_scope
def layer(x, units=1, stride=1, *, padding="SAME", scope=None):
    """A layer."""
    local = 7  # a local variable is no argument
    del local
    return x, units, stride, padding, scope


@slim.add_arg_scope
def other(x, units=0, **anything):
    return x, units, anything


def undecorated(x, units=1):
    return x, units


def test_a_scope_sets_defaults_for_each_function_of_its_list():
    with slim.arg_scope([layer, other], units=5):
        assert layer(0)[1] == 5
        assert other(0)[1] == 5
    assert layer(0)[1] == 1


def test_scopes_nest_and_the_inner_one_wins():
    with slim.arg_scope([layer], units=5, stride=2):
        with slim.arg_scope([layer], stride=3):
            assert layer(0) == (0, 5, 3, "SAME", None)
        assert layer(0) == (0, 5, 2, "SAME", None)


def test_a_local_argument_wins():
    with slim.arg_scope([layer], padding="VALID"):
        assert layer(0, padding="SAME")[3] == "SAME"


def test_an_argument_by_position_wins():
    with slim.arg_scope([layer], units=5, stride=1):
        assert layer(0, 64, 4) == (0, 64, 4, "SAME", None)


def test_a_scope_is_kept_and_entered_again():
    with slim.arg_scope([layer], units=5) as kept:
        pass
    with slim.arg_scope([layer], units=9, stride=9), slim.arg_scope(kept):
        assert layer(0)[1:3] == (5, 1), "it replaces the scopes around"
        assert slim.current_arg_scope() is kept
    assert kept[slim.arg_scope_func_key(layer)] == {"units": 5}


def test_a_copy_of_a_scope_can_be_changed_and_entered():
    with slim.arg_scope([layer], units=5) as kept:
        changed = kept.copy()
    changed[slim.arg_scope_func_key(layer)]["units"] = 6
    with slim.arg_scope(changed):
        assert layer(0)[1] == 6
    with slim.arg_scope(kept):
        assert layer(0)[1] == 5


def test_a_decorated_function_keeps_its_name_docstring_and_signature():
    assert (layer.__name__, layer.__doc__) == ("layer", "A layer.")
    assert list(inspect.signature(layer).parameters) == ["x", "units", "stride", "padding", "scope"]


def test_decorating_twice_changes_nothing():
    assert slim.add_arg_scope(layer) is layer


def test_the_arguments_with_a_default_can_be_scoped():
    assert slim.arg_scoped_arguments(layer) == ("units", "stride", "padding", "scope")
    assert slim.has_arg_scope(layer)
    assert not slim.has_arg_scope(undecorated)


def test_a_function_of_any_arguments_takes_any():
    with slim.arg_scope([other], colour="red"):
        assert other(0) == (0, 0, {"colour": "red"})


def test_an_unknown_argument_is_reported_on_entry_with_the_nearest():
    scope = slim.arg_scope([layer], strides=2)
    with pytest.raises(ArgScopeError, match="layer has no argument 'strides'. Close: stride"):
        scope.__enter__()


def test_a_call_with_an_unknown_argument_names_the_layer_its_scope_and_the_nearest():
    message = r"layer \(scope head\) has no argument 'strides', given as 2. Close: stride"
    with pytest.raises(TypeError, match=message):
        layer(0, 1, strides=2, scope="head")


@pytest.mark.parametrize(
    "first, arguments, message",
    [
        ([undecorated], {"units": 2}, "undecorated cannot be scoped: decorate it with"),
        (layer, {"units": 2}, "takes a list or tuple of functions"),
        ({}, {"units": 2}, "a scope to enter again and also units"),
    ],
)
def test_a_bad_scope_says_what_to_change(first, arguments, message):
    with pytest.raises(ArgScopeError, match=message), slim.arg_scope(first, **arguments):
        pass


def test_a_scope_that_fails_on_entry_leaves_the_outer_one_in_force():
    with slim.arg_scope([layer], units=5):
        with pytest.raises(ArgScopeError), slim.arg_scope([layer, undecorated], units=6):
            pass
        assert layer(0)[1] == 5


def test_an_error_inside_a_scope_leaves_the_outer_one_in_force():
    with slim.arg_scope([layer], units=5):
        with pytest.raises(RuntimeError), slim.arg_scope([layer], units=6):
            raise RuntimeError
        assert layer(0)[1] == 5
    assert layer(0)[1] == 1


def test_eight_threads_never_see_one_anothers_scopes():
    barrier, seen = threading.Barrier(8), {}

    def work(units):
        before = layer(0)[1]
        with slim.arg_scope([layer], units=units):
            values = set()
            for _ in range(50):
                barrier.wait()
                values.add(layer(0)[1])
        seen[units] = (before, values)

    with slim.arg_scope([layer], units=99):
        threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert seen == {n: (1, {n}) for n in range(8)}


def test_async_tasks_never_see_one_anothers_scopes():
    async def work(units):
        with slim.arg_scope([layer], units=units):
            values = set()
            for _ in range(20):
                await asyncio.sleep(0)
                values.add(layer(0)[1])
        return values

    async def all_of_them():
        return await asyncio.gather(*map(work, range(8)))

    assert asyncio.run(all_of_them()) == [{n} for n in range(8)]


def line_above():
    caller = inspect.currentframe().f_back
    return f"{__file__}:{caller.f_lineno - 1}"


def test_explain_names_file_and_line_of_the_scope_that_set_each_argument():
    with slim.arg_scope([layer], units=5, stride=2):
        outer = line_above()
        with contextlib.ExitStack() as stack:
            stack.enter_context(slim.arg_scope([layer], stride=3))
            inner = line_above()
            settings = {s.argument: (s.value, s.origin) for s in slim.explain(layer)}
    assert settings == {
        "x": (None, "no default"),
        "units": (5, outer),
        "stride": (3, inner),
        "padding": ("SAME", "default"),
        "scope": (None, "default"),
    }


def test_explain_prints_a_line_for_each_argument():
    with slim.arg_scope([layer], units=5):
        text = str(slim.explain(layer))
    assert text.startswith("layer here:\n")
    assert f"  units   = 5  ({__file__}:" in text
    assert "  padding = 'SAME'  (default)" in text
