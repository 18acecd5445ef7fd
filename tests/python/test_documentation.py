# SPDX-License-Identifier: MIT
"""Everything public has a docstring of its own, and the options are listed once."""
import inspect

import snakepit_shm
import snakepit_shm.shared_memory
from snakepit_shm import _values

ORDINARY = {"__module__", "__doc__", "__dict__", "__weakref__", "__dictoffset__", "__weaklistoffset__", "__slots__",
            "__getnewargs__", "__annotations__", "__match_args__", "__orig_bases__", "__total__", "__required_keys__",
            "__optional_keys__"}
# What the language defines says what it does.
PROTOCOL = {name for kind in (object, list, memoryview, Exception) for name in dir(kind)} | {
    "__del__", "__exit__", "__enter__", "__getitem__", "__setitem__", "__len__", "__class_getitem__", "__new__"}


def public_things():
    for module in (snakepit_shm, snakepit_shm.shared_memory):
        yield module.__name__, module
        for name in module.__all__:
            thing = getattr(module, name)
            if not callable(thing):
                continue
            yield f"{module.__name__}.{name}", thing
            if not inspect.isclass(thing):
                continue
            for owner in thing.__mro__:
                if not owner.__module__.startswith("snakepit_shm"):
                    continue
                for member, value in vars(owner).items():
                    private = member.startswith("_") and member not in ("__dlpack__", "__dlpack_device__", "__arrow_c_array__")
                    if private or member in ORDINARY | PROTOCOL:
                        continue
                    if owner.__doc__ and issubclass(owner, tuple):
                        continue  # fields of a result, described with it
                    yield f"{owner.__module__}.{owner.__qualname__}.{member}", value


def test_everything_public_has_a_docstring():
    names = dict(public_things())
    assert len(names) > 60, sorted(names)
    without = [name for name, thing in names.items() if not (thing.__doc__ or "").strip()]
    assert not without


def test_the_extension_tells_its_signatures():
    for function, expected in ((snakepit_shm.Client.map, "(self, /, region_id, writable=False)"),
                               (snakepit_shm.Region.__arrow_c_array__, "(self, /, requested_schema=None)"),
                               (snakepit_shm.Client.notify, "(self, region_id, /)")):
        assert str(inspect.signature(function)) == expected


def test_options_are_the_same_everywhere():
    parameters = set(inspect.signature(_values.options).parameters)
    assert set(_values.Options.__annotations__) == parameters
    assert parameters - set(_values.OpenOptions.__annotations__) == {"name"}
    described = inspect.getdoc(snakepit_shm.Client.allocate)
    assert not [name for name in parameters if f"`{name}`" not in described]
