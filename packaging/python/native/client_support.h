// SPDX-License-Identifier: MIT
// What the sources of Client share.
#pragma once

#include <string>

#include "objects.h"

namespace snakepit::python::detail {

inline ClientObject* of(PyObject* self) {
    return reinterpret_cast<ClientObject*>(self);
}

// Calls the library without the GIL, with the session kept.
template <typename Call>
snakepit_shm_status ask(ClientObject* client, Call call) {
    const auto session = client->session;
    if (!session) return SNAKEPIT_SHM_CLIENT_CLOSED;
    auto* const handle = session->handle();
    return without_gil([&call, handle] { return call(handle); });
}

inline PyObject* result_of(ClientObject* client, snakepit_shm_status status) {
    return client->session ? none_or_raise(client->state, status) : raise_closed(client->state);
}

// Results that must not be lost go into a list of the caller's: a signal handler may raise between
// the end of a call and the assignment of its result.
inline PyObject* put(PyObject* cell, PyObject* value) {
    if (!value || PyList_SetItem(cell, 0, value) != 0) return nullptr;
    Py_RETURN_NONE;
}
inline PyObject* put(PyObject* cell, unsigned long long number) {
    return put(cell, PyLong_FromUnsignedLongLong(number));
}

inline PyObject* string(const char* text) {
    return PyUnicode_DecodeUTF8(text, static_cast<Py_ssize_t>(std::char_traits<char>::length(text)),
                                "replace");
}

// A method whose argument is a region's id and that returns nothing.
template <snakepit_shm_status (*Call)(snakepit_shm_client*, const char*)>
PyObject* on_id(PyObject* self, PyObject* region) {
    const auto text = id_of(of(self)->state, region);
    if (text.failed) return nullptr;
    return result_of(of(self), ask(of(self), [&](snakepit_shm_client* handle) {
                         return Call(handle, text.bytes);
                     }));
}

// Arguments of options() in _values.py, in the order of snakepit_shm_options. False with an
// exception.
bool read_options(PyObject* tuple, snakepit_shm_options& out);

// Methods of Client in client_regions.cpp.
PyObject* client_allocate(PyObject* self, PyObject* arguments);
PyObject* client_open(PyObject* self, PyObject* arguments);
PyObject* client_map(PyObject* self, PyObject* const* arguments, Py_ssize_t count, PyObject* words);
PyObject* client_map_cached(PyObject* self, PyObject* const* arguments, Py_ssize_t count,
                            PyObject* words);
PyObject* client_resolve(PyObject* self, PyObject* name);
PyObject* client_info(PyObject* self, PyObject* region);
PyObject* client_list(PyObject* self, PyObject* filter);
// In client_data.cpp.
PyObject* client_read(PyObject* self, PyObject* arguments);
PyObject* client_write(PyObject* self, PyObject* arguments);
PyObject* client_cleanup(PyObject* self, PyObject* arguments);
PyObject* client_announce(PyObject* self, PyObject* arguments);
// In client_waiting.cpp.
PyObject* client_lock(PyObject* self, PyObject* arguments);
PyObject* client_lock_begin(PyObject* self, PyObject* arguments);
PyObject* client_lock_wait(PyObject* self, PyObject* arguments);
PyObject* client_cancel(PyObject* self, PyObject* arguments);
PyObject* client_unlock(PyObject* self, PyObject* arguments);
PyObject* client_abandon(PyObject* self, PyObject* arguments);
PyObject* client_wait(PyObject* self, PyObject* arguments);
PyObject* client_wait_begin(PyObject* self, PyObject* arguments);
PyObject* client_fileno(PyObject* self, PyObject* arguments);
PyObject* client_next_event(PyObject* self, PyObject* arguments);

}  // namespace snakepit::python::detail
