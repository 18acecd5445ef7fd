# SPDX-License-Identifier: MIT
"""Regions as arrays and tensors."""
import math

from . import _values
from ._values import Error


def array_metadata(dtype, shape):
    """The bytes of such an array, and what the metadata says of it. numpy is needed."""
    import numpy
    dtype = numpy.dtype(dtype)
    shape = (shape,) if isinstance(shape, int) else tuple(int(length) for length in shape or ())
    if dtype.hasobject:
        raise Error(_values.INVALID_ARGUMENT, f"the dtype {dtype} holds Python objects: other processes have others")
    return dtype.itemsize * math.prod(shape), {"dtype": _text_of(dtype), "shape": list(shape)}


def _text_of(dtype):
    return dtype.str if dtype.fields is None else dtype.descr


def _dtype_of(text):
    import numpy
    if isinstance(text, list):  # JSON has no tuples
        return numpy.dtype([tuple(tuple(part) if isinstance(part, list) else part for part in field)
                            for field in text])
    return numpy.dtype(text)


class ArrayMethods:
    """The part of Region that knows arrays."""

    def array(self, dtype=None, shape=None):
        """The memory as a numpy array. Without arguments as it was allocated with `dtype` and `shape`, by
        whatever process; with a dtype alone, one dimension of as many elements as fit."""
        import numpy
        if dtype is None:
            metadata = self.info().metadata
            if "dtype" not in metadata:
                raise Error(_values.INVALID_ARGUMENT,
                            f"region {self.id} was allocated without a dtype: pass array(dtype, shape)")
            dtype, shape = _dtype_of(metadata["dtype"]), metadata.get("shape") if shape is None else shape
        dtype = numpy.dtype(dtype)
        if shape is None:
            shape = (self.size // dtype.itemsize,)
        return numpy.ndarray(shape, dtype, buffer=self.view)

    def tensor(self, dtype=None, shape=None, clone=False):
        """The memory as a PyTorch tensor, as array(). PyTorch ignores that memory is read-only, and writing
        to it would end the process: a region mapped read-only is refused unless `clone` is true."""
        import torch
        if not self.writable and not clone:
            raise Error(_values.INVALID_ARGUMENT,
                        f"region {self.id} is mapped read-only, which PyTorch ignores: map it writable, or use "
                        "tensor(clone=True)")
        array = self.array(dtype, shape)
        return torch.from_numpy(array.copy() if clone else array)
