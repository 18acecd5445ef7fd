# SPDX-License-Identifier: MIT
"""Consumers of DLPack and Arrow capsules, after their specifications, by ctypes."""
import ctypes

_api = ctypes.pythonapi
_api.PyCapsule_GetName.restype = ctypes.c_char_p
_api.PyCapsule_GetName.argtypes = [ctypes.py_object]
_api.PyCapsule_GetPointer.restype = ctypes.c_void_p
_api.PyCapsule_GetPointer.argtypes = [ctypes.py_object, ctypes.c_char_p]
_api.PyCapsule_SetName.argtypes = [ctypes.py_object, ctypes.c_char_p]
_libc = ctypes.CDLL(None)


class _Device(ctypes.Structure):
    _fields_ = [("type", ctypes.c_int32), ("id", ctypes.c_int32)]


class _Tensor(ctypes.Structure):
    _fields_ = [("data", ctypes.c_void_p), ("device", _Device), ("ndim", ctypes.c_int32), ("code", ctypes.c_uint8),
                ("bits", ctypes.c_uint8), ("lanes", ctypes.c_uint16), ("shape", ctypes.POINTER(ctypes.c_int64)),
                ("strides", ctypes.POINTER(ctypes.c_int64)), ("byte_offset", ctypes.c_uint64)]


class _Managed(ctypes.Structure):
    _fields_ = [("tensor", _Tensor), ("context", ctypes.c_void_p), ("deleter", ctypes.c_void_p)]


class _ManagedVersioned(ctypes.Structure):
    _fields_ = [("major", ctypes.c_uint32), ("minor", ctypes.c_uint32), ("context", ctypes.c_void_p),
                ("deleter", ctypes.c_void_p), ("flags", ctypes.c_uint64), ("tensor", _Tensor)]


_KEPT = (b"used_dltensor", b"used_dltensor_versioned")  # a capsule does not copy its name


def capsule_name(capsule):
    return _api.PyCapsule_GetName(capsule).decode()


class _Consumer:
    def read(self, size):
        return ctypes.string_at(self.data, size)

    def write(self, data):
        ctypes.memmove(self.data, data, len(data))

    def hand_over(self):
        """The function that ends this, and its argument; whoever gets them calls it once."""
        function, argument = self._end
        self._end = None
        return ctypes.c_void_p(function), ctypes.c_void_p(argument)

    def end(self):
        if self._end:
            function, argument = self.hand_over()
            ctypes.CFUNCTYPE(None, ctypes.c_void_p)(function.value)(argument)

    def __del__(self):
        self.end()


class DlpackConsumer(_Consumer):
    _end = None

    def __init__(self, capsule):
        versioned = capsule_name(capsule) == "dltensor_versioned"
        pointer = _api.PyCapsule_GetPointer(capsule, _api.PyCapsule_GetName(capsule))
        managed = (_ManagedVersioned if versioned else _Managed).from_address(pointer)
        assert _api.PyCapsule_SetName(capsule, _KEPT[versioned]) == 0
        tensor = managed.tensor
        self.version = (managed.major, managed.minor) if versioned else None
        self.flags = managed.flags if versioned else 0
        self.device = (tensor.device.type, tensor.device.id)
        self.shape, self.strides = tensor.shape[:tensor.ndim], tensor.strides[:tensor.ndim]
        self.type = (tensor.code, tensor.bits, tensor.lanes)
        self.data = tensor.data + tensor.byte_offset
        self._end = managed.deleter, pointer


class _Schema(ctypes.Structure):
    _fields_ = [("format", ctypes.c_char_p), ("name", ctypes.c_char_p), ("metadata", ctypes.c_char_p),
                ("flags", ctypes.c_int64), ("n_children", ctypes.c_int64), ("children", ctypes.c_void_p),
                ("dictionary", ctypes.c_void_p), ("release", ctypes.c_void_p), ("context", ctypes.c_void_p)]


class _Array(ctypes.Structure):
    _fields_ = [("length", ctypes.c_int64), ("null_count", ctypes.c_int64), ("offset", ctypes.c_int64),
                ("n_buffers", ctypes.c_int64), ("n_children", ctypes.c_int64),
                ("buffers", ctypes.POINTER(ctypes.c_void_p)), ("children", ctypes.c_void_p),
                ("dictionary", ctypes.c_void_p), ("release", ctypes.c_void_p), ("context", ctypes.c_void_p)]


class ArrowConsumer(_Consumer):
    """Moves both structures out of their capsules, as the specification says: into memory of the C library, which stays
    when this object has gone."""

    _end = None

    def __init__(self, capsules):
        schema = self._moved(capsules[0], b"arrow_schema", _Schema)
        array = self._moved(capsules[1], b"arrow_array", _Array)
        self.format, self.flags = schema.format, schema.flags
        self.length, self.null_count, self.offset = array.length, array.null_count, array.offset
        assert array.n_buffers == 2 and not array.buffers[0] and not array.n_children and not schema.n_children
        self.data = array.buffers[1]
        ctypes.CFUNCTYPE(None, ctypes.c_void_p)(schema.release)(ctypes.addressof(schema))
        assert not schema.release
        self._end = array.release, ctypes.addressof(array)

    @staticmethod
    def _moved(capsule, name, kind):
        structure = kind.from_address(_api.PyCapsule_GetPointer(capsule, name))
        _libc.malloc.restype = ctypes.c_void_p
        place = _libc.malloc(ctypes.sizeof(kind))
        ctypes.memmove(place, ctypes.addressof(structure), ctypes.sizeof(kind))
        structure.release = None
        return kind.from_address(place)
