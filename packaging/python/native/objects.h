// SPDX-License-Identifier: MIT
// What the sources of the extension share. It uses the limited API of Python 3.11.
#pragma once

#include <Python.h>

#include <memory>
#include <string_view>
#include <utility>

#include "lease.h"

namespace snakepit::python {

// Of one import of the module.
struct ModuleState {
    PyTypeObject *client, *region, *view;
    // Given by the Python part, see use_classes().
    PyObject *error, *buffer_in_use;
    PyTypeObject* region_class;
    allocfunc allocate_region;
};

struct ClientObject {
    PyObject_HEAD ModuleState* state;
    std::shared_ptr<Session> session;  // null: not connected, or closed
    PyObject *dict, *weak;
};
// The buffer's owner (Py_buffer.obj): some libraries keep that instead of the buffer, so the memory
// is in use as long as another reference to it exists.
struct ViewObject {
    PyObject_HEAD Lease* lease;
};
struct RegionObject {
    PyObject_HEAD ModuleState* state;
    Lease* lease;      // null: closed
    ViewObject* view;  // once there was a buffer
    PyObject *client, *id;
    unsigned long long size;
    bool writable, created;
    PyObject *dict, *weak;
};

extern PyType_Spec client_spec, region_spec, ring_spec, view_spec;

// Releases the GIL. Nothing in its scope may be noexcept, or own what has a destructor: a thread
// that takes the GIL while the interpreter ends is unwound from there.
template <typename Call>
auto without_gil(Call call) {
    auto* const thread = PyEval_SaveThread();
    const auto result = call();
    PyEval_RestoreThread(thread);
    return result;
}

// Functions as the tables of methods and slots take them.
template <typename T>
PyCFunction method(T* function) {
    return reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(function));
}
template <typename T>
void* slot(T* function) {
    return reinterpret_cast<void*>(function);
}

// Sets the exception. Null, so that callers can return it.
PyObject* raise(ModuleState* state, snakepit_shm_status status, const char* sentence = nullptr);
PyObject* raise_in_use(ModuleState* state, PyObject* id);
PyObject* raise_closed(ModuleState* state);
inline PyObject* none_or_raise(ModuleState* state, snakepit_shm_status status) {
    return status == SNAKEPIT_SHM_OK ? Py_NewRef(Py_None) : raise(state, status);
}

// UTF-8 of a str, valid as long as the object; null with an exception. None is null without one, if
// it is allowed.
struct Text {
    const char* bytes = nullptr;
    bool failed = false;
};
Text text_of(ModuleState* state, PyObject* object, const char* what,
             snakepit_shm_status status = SNAKEPIT_SHM_INVALID_ARGUMENT, bool or_none = false);
Text id_of(ModuleState* state, PyObject* object);

// The mapping that the library made, as a Region. Unmaps it after an error.
PyObject* make_region(ClientObject* client, std::shared_ptr<Session> session,
                      const snakepit_shm_mapping& mapping, PyObject* id, bool writable,
                      bool created);
// The lease of a region that may be given to others; null with an exception.
Lease* lease_of(const RegionObject* region);
// Methods of Region in exchange.cpp.
PyObject* region_dlpack(PyObject* self, PyObject* arguments, PyObject* words);
PyObject* region_dlpack_device(PyObject* self, PyObject* unused);
PyObject* region_arrow_array(PyObject* self, PyObject* arguments, PyObject* words);
// Whether something other than the Region uses the memory.
bool in_use(const RegionObject* region);
// Takes the region's reference away from it, if it has one; its memory ends with its last user.
snakepit_shm_status detach(RegionObject* region);

}  // namespace snakepit::python
