# SPDX-License-Identifier: MIT
"""Regions as arrays and tensors."""
from __future__ import annotations

import collections.abc
import math
import operator
import typing

from . import _native, _values
from ._values import Error, Shape

if typing.TYPE_CHECKING:
    import numpy
    import numpy.typing
    import torch


def array_metadata(dtype: numpy.typing.DTypeLike, shape: Shape | None) -> tuple[int, dict[str, typing.Any]]:
    """The bytes of such an array, and what the metadata says of it. numpy is needed."""
    import numpy
    dtype = numpy.dtype(dtype)
    lengths = [] if shape is None else list(shape) if isinstance(shape, collections.abc.Iterable) else [shape]
    shape = [operator.index(length) for length in lengths]
    if dtype.hasobject:
        raise Error(_values.INVALID_ARGUMENT, f"the dtype {dtype} holds Python objects: other processes have others")
    return dtype.itemsize * math.prod(shape), {"dtype": _text_of(dtype), "shape": shape}


def _text_of(dtype: numpy.dtype[typing.Any]) -> typing.Any:
    return dtype.str if dtype.fields is None else dtype.descr


def _dtype_of(text: typing.Any) -> numpy.dtype[typing.Any]:
    import numpy
    if isinstance(text, list):  # JSON has no tuples
        return numpy.dtype([tuple(tuple(part) if isinstance(part, list) else part for part in field)
                            for field in text])
    return numpy.dtype(text)


class ArrayMethods(_native.Region):
    """The part of Region that knows arrays."""

    def array(self, dtype: numpy.typing.DTypeLike = None, shape: Shape | None = None) -> numpy.typing.NDArray[typing.Any]:
        """The memory as a numpy array. Without arguments as it was allocated with `dtype` and `shape`, by
        whatever process; with a dtype alone, one dimension of as many elements as fit."""
        import numpy
        if dtype is None:
            metadata = self._client.info(self.id).metadata
            if "dtype" not in metadata:
                raise Error(_values.INVALID_ARGUMENT,
                            f"region {self.id} was allocated without a dtype: pass array(dtype, shape)")
            dtype, shape = _dtype_of(metadata["dtype"]), metadata.get("shape") if shape is None else shape
        dtype = numpy.dtype(dtype)
        if shape is None:
            shape = (self.size // dtype.itemsize,)
        return numpy.ndarray(shape, dtype, buffer=self.view)

    def tensor(self, dtype: numpy.typing.DTypeLike = None, shape: Shape | None = None,
               clone: bool = False) -> torch.Tensor:
        """The memory as a PyTorch tensor, as array(). PyTorch ignores that memory is read-only, and writing
        to it would end the process: a region mapped read-only is refused unless `clone` is true."""
        import torch
        if not self.writable and not clone:
            raise Error(_values.INVALID_ARGUMENT,
                        f"region {self.id} is mapped read-only, which PyTorch ignores: map it writable, or use "
                        "tensor(clone=True)")
        array = self.array(dtype, shape)
        return torch.from_numpy(array.copy() if clone else array)
