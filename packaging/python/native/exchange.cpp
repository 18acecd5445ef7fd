// SPDX-License-Identifier: MIT
// Region's memory for other libraries, without a copy: DLPack and the Arrow C data interface. What
// they get are bytes, and each capsule is a holder of the Lease. They give it back on any thread,
// without the GIL, and perhaps after the interpreter has ended.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>

#include "objects.h"

namespace snakepit::python {

namespace {

RegionObject* of(PyObject* self) {
    return reinterpret_cast<RegionObject*>(self);
}

// -------------------------------------------------------------------- DLPack
// https://dmlc.github.io/dlpack/latest/c_api.html, versions 0.6 to 1.x.

struct DlDevice {
    std::int32_t type, id;
};
struct DlTensor {
    void* data;
    DlDevice device;
    std::int32_t dimensions;
    std::uint8_t type_code, type_bits;
    std::uint16_t type_lanes;
    std::int64_t *shape, *strides;
    std::uint64_t byte_offset;
};
struct DlManaged {
    DlTensor tensor;
    void* context;
    void (*deleter)(DlManaged*);
};
struct DlManagedVersioned {
    std::uint32_t major, minor;
    void* context;
    void (*deleter)(DlManagedVersioned*);
    std::uint64_t flags;
    DlTensor tensor;
};
static_assert(sizeof(DlTensor) == 48 && sizeof(DlManaged) == 64 &&
              sizeof(DlManagedVersioned) == 80);

constexpr std::int32_t kCpu = 1;
constexpr std::uint8_t kUnsignedInteger = 1;
constexpr std::uint64_t kReadOnly = 1, kCopied = 2;

template <typename Managed>
constexpr const char* kCapsuleName = "dltensor";
template <>
constexpr const char* kCapsuleName<DlManagedVersioned> = "dltensor_versioned";

// What the consumer of a capsule has: a holder of the lease, or a copy.
template <typename Managed>
struct Export {
    Managed managed{};
    std::int64_t size = 0, stride = 1;
    Lease* lease = nullptr;
    void* copy = nullptr;
};

template <typename Managed>
void end_export(Managed* managed) {
    auto* const exported = static_cast<Export<Managed>*>(managed->context);
    if (exported->lease) exported->lease->release();
    std::free(exported->copy);
    delete exported;
}

// A consumer renames the capsule and calls the deleter itself.
template <typename Managed>
void end_capsule(PyObject* capsule) {
    constexpr auto* name = kCapsuleName<Managed>;
    if (PyCapsule_IsValid(capsule, name))
        end_export(static_cast<Managed*>(PyCapsule_GetPointer(capsule, name)));
}

void* copy_of(Lease* lease) {
    const auto size = static_cast<std::size_t>(lease->mapping.size);
    auto* const copy = std::malloc(size);
    if (!copy) return nullptr;
    const auto* const data = lease->mapping.data;
    lease->hold();
    without_gil([copy, data, size] { return std::memcpy(copy, data, size); });
    lease->release();
    return copy;
}

template <typename Managed>
PyObject* export_tensor(Lease* lease, bool copied) {
    auto* const copy = copied ? copy_of(lease) : nullptr;
    auto* const exported = new (std::nothrow) Export<Managed>;
    if (!exported || (copied && !copy)) {
        delete exported;
        std::free(copy);
        return PyErr_NoMemory();
    }
    exported->size = static_cast<std::int64_t>(lease->mapping.size);
    exported->copy = copy;
    auto& managed = exported->managed;
    managed.context = exported;
    managed.deleter = end_export<Managed>;
    managed.tensor = {copied ? copy : lease->mapping.data,
                      {kCpu, 0},
                      1,
                      kUnsignedInteger,
                      8,
                      1,
                      &exported->size,
                      &exported->stride,
                      0};
    if constexpr (requires { managed.flags; }) {
        managed.major = 1;
        managed.flags = copied ? kCopied : lease->writable ? 0 : kReadOnly;
    }
    if (!copied) {
        lease->hold();
        exported->lease = lease;
    }
    auto* const capsule = PyCapsule_New(&managed, kCapsuleName<Managed>, end_capsule<Managed>);
    if (!capsule) end_export(&managed);
    return capsule;
}

PyObject* refuse(const char* sentence) {
    PyErr_SetString(PyExc_BufferError, sentence);
    return nullptr;
}

// A tuple of two numbers; None leaves them as they are.
bool read_pair(PyObject* object, const char* what, int& first, int& second) {
    if (object == Py_None) return true;
    if (PyTuple_Check(object) && PyArg_ParseTuple(object, "ii", &first, &second)) return true;
    PyErr_Format(PyExc_TypeError, "%s is %R: expected a tuple of two numbers", what, object);
    return false;
}

}  // namespace

PyObject* region_dlpack(PyObject* self, PyObject* arguments, PyObject* words) {
    static const char* const names[] = {"stream", "max_version", "dl_device", "copy", nullptr};
    PyObject *stream = Py_None, *version = Py_None, *device = Py_None, *copy = Py_None;
    if (!PyArg_ParseTupleAndKeywords(arguments, words, "|$OOOO:__dlpack__",
                                     const_cast<char**>(names), &stream, &version, &device, &copy))
        return nullptr;
    int major = 0, minor = 0, type = kCpu, number = 0;
    if (!read_pair(version, "max_version", major, minor) ||
        !read_pair(device, "dl_device", type, number))
        return nullptr;
    const int copied = copy == Py_None ? 0 : PyObject_IsTrue(copy);
    if (copied < 0) return nullptr;
    auto* const lease = lease_of(of(self));
    if (!lease) return nullptr;
    if (stream != Py_None) return refuse("a region is memory of the CPU: expected no stream");
    if (type != kCpu || number != 0)
        return refuse("a region is memory of the CPU: expected the device (1, 0)");
    if (major >= 1) return export_tensor<DlManagedVersioned>(lease, copied == 1);
    if (!lease->writable && !copied)
        return refuse(
            "the region is mapped read-only, which DLPack before version 1.0 cannot express: map "
            "it writable, or pass max_version=(1, 0) or copy=True");
    return export_tensor<DlManaged>(lease, copied == 1);
}

PyObject* region_dlpack_device(PyObject* /*self*/, PyObject* /*unused*/) {
    return Py_BuildValue("(ii)", kCpu, 0);
}

// --------------------------------------------------------------------- Arrow
// https://arrow.apache.org/docs/format/CDataInterface.html

namespace {

struct ArrowSchema {
    const char *format, *name, *metadata;
    std::int64_t flags, children_count;
    ArrowSchema **children, *dictionary;
    void (*release)(ArrowSchema*);
    void* context;
};
struct ArrowArray {
    std::int64_t length, null_count, offset, buffers_count, children_count;
    const void** buffers;
    ArrowArray **children, *dictionary;
    void (*release)(ArrowArray*);
    void* context;
};
static_assert(sizeof(ArrowSchema) == 72 && sizeof(ArrowArray) == 80);

// Lives as long as the array, which its consumer may move elsewhere.
struct ArrowHolder {
    const void* buffers[2];  // no validity bitmap; the data
    Lease* lease;
};

void release_schema(ArrowSchema* schema) {
    schema->release = nullptr;
}

void release_array(ArrowArray* array) {
    auto* const holder = static_cast<ArrowHolder*>(array->context);
    array->release = nullptr;
    holder->lease->release();
    delete holder;
}

// A consumer moves the structure out and sets `release` to null.
template <typename Structure>
PyObject* capsule_of(Structure* structure, const char* name, PyCapsule_Destructor destructor) {
    auto* const capsule = PyCapsule_New(structure, name, destructor);
    if (capsule) return capsule;
    structure->release(structure);
    delete structure;
    return nullptr;
}

template <typename Structure>
void end_structure(PyObject* capsule) {
    auto* const structure =
        static_cast<Structure*>(PyCapsule_GetPointer(capsule, PyCapsule_GetName(capsule)));
    if (structure->release) structure->release(structure);
    delete structure;
}

}  // namespace

PyObject* region_arrow_array(PyObject* self, PyObject* arguments, PyObject* words) {
    static const char* const names[] = {"requested_schema", nullptr};
    PyObject* ignored = nullptr;  // the protocol lets a producer do so
    if (!PyArg_ParseTupleAndKeywords(arguments, words, "|O:__arrow_c_array__",
                                     const_cast<char**>(names), &ignored))
        return nullptr;
    auto* const lease = lease_of(of(self));
    if (!lease) return nullptr;
    auto* const schema = new (std::nothrow)
        ArrowSchema{"C", "", nullptr, 0, 0, nullptr, nullptr, release_schema, nullptr};
    auto* const holder = new (std::nothrow) ArrowHolder{{nullptr, lease->mapping.data}, lease};
    auto* const array =
        new (std::nothrow) ArrowArray{static_cast<std::int64_t>(lease->mapping.size),
                                      0,
                                      0,
                                      2,
                                      0,
                                      nullptr,
                                      nullptr,
                                      nullptr,
                                      release_array,
                                      holder};
    if (!schema || !holder || !array) {
        delete schema;
        delete holder;
        delete array;
        return PyErr_NoMemory();
    }
    array->buffers = holder->buffers;
    lease->hold();
    auto* const first = capsule_of(schema, "arrow_schema", end_structure<ArrowSchema>);
    auto* const second = capsule_of(array, "arrow_array", end_structure<ArrowArray>);
    if (first && second) return Py_BuildValue("(NN)", first, second);
    Py_XDECREF(first);
    Py_XDECREF(second);
    return nullptr;
}

}  // namespace snakepit::python
