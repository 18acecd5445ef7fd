// SPDX-License-Identifier: MIT
// The extension snakepit_shm._native: its state, errors and texts.
#include <cstring>
#include <new>

#include "objects.h"

namespace snakepit::python {

namespace {

ModuleState* state_in(PyObject* module) {
    return static_cast<ModuleState*>(PyModule_GetState(module));
}

}  // namespace

PyObject* raise(ModuleState* state, snakepit_shm_status status, const char* sentence) {
    auto* const error = PyObject_CallFunction(state->error, "is", static_cast<int>(status),
                                              sentence ? sentence : snakepit_shm_last_error());
    if (error) PyErr_SetObject(state->error, error);
    Py_XDECREF(error);
    return nullptr;
}

PyObject* raise_in_use(ModuleState* state, PyObject* id) {
    auto* const sentence = id == Py_None
                               ? PyUnicode_FromString(
                                     "a region of this client is still used by an array or "
                                     "memoryview: delete those first")
                               : PyUnicode_FromFormat(
                                     "region %U is still used by an array or memoryview: delete "
                                     "those first",
                                     id);
    if (!sentence) return nullptr;
    auto* const error =
        PyObject_CallFunction(state->buffer_in_use, "iO", SNAKEPIT_SHM_REGION_IN_USE, sentence);
    if (error) PyErr_SetObject(state->buffer_in_use, error);
    Py_XDECREF(error);
    Py_DECREF(sentence);
    return nullptr;
}

PyObject* raise_closed(ModuleState* state) {
    return raise(state, SNAKEPIT_SHM_CLIENT_CLOSED,
                 "this client was closed: connect again to continue");
}

Text text_of(ModuleState* state, PyObject* object, const char* what, snakepit_shm_status status,
             bool or_none) {
    if (or_none && object == Py_None) return {};
    Py_ssize_t length = 0;
    const auto* const bytes =
        PyUnicode_Check(object) ? PyUnicode_AsUTF8AndSize(object, &length) : nullptr;
    if (bytes && std::strlen(bytes) == static_cast<std::size_t>(length)) return {bytes, false};
    PyErr_Clear();
    auto* const sentence = PyUnicode_FromFormat(
        "%s is %R: expected text without zero bytes and lone surrogates", what, object);
    if (sentence) {
        if (const auto* const text = PyUnicode_AsUTF8AndSize(sentence, nullptr))
            raise(state, status, text);
        Py_DECREF(sentence);
    }
    return {nullptr, true};
}

Text id_of(ModuleState* state, PyObject* object) {
    if (object == Py_None) {
        raise(state, SNAKEPIT_SHM_INVALID_REGION_ID,
              "the region id is None: expected the id or the name of a region, as in Region.id");
        return {nullptr, true};
    }
    return text_of(state, object, "the region id", SNAKEPIT_SHM_INVALID_REGION_ID);
}

namespace {

// use_classes(Error, BufferInUse, Region): what the extension raises and makes.
PyObject* use_classes(PyObject* module, PyObject* arguments) {
    PyObject *error = nullptr, *in_use = nullptr, *region = nullptr;
    if (!PyArg_ParseTuple(arguments, "OOO", &error, &in_use, &region)) return nullptr;
    auto* const state = state_in(module);
    Py_XDECREF(state->error);
    state->error = Py_NewRef(error);
    Py_XDECREF(state->buffer_in_use);
    state->buffer_in_use = Py_NewRef(in_use);
    Py_XDECREF(reinterpret_cast<PyObject*>(state->region_class));
    state->region_class = reinterpret_cast<PyTypeObject*>(Py_NewRef(region));
    state->allocate_region =
        reinterpret_cast<allocfunc>(PyType_GetSlot(state->region_class, Py_tp_alloc));
    Py_RETURN_NONE;
}

PyObject* status_name(PyObject* /*module*/, PyObject* status) {
    return PyUnicode_FromString(
        snakepit_shm_status_name(static_cast<snakepit_shm_status>(PyLong_AsLong(status))));
}

PyObject* status_type(PyObject* /*module*/, PyObject* status) {
    return PyUnicode_FromString(
        snakepit_shm_status_type(static_cast<snakepit_shm_status>(PyLong_AsLong(status))));
}

PyMethodDef functions[] = {{"use_classes", use_classes, METH_VARARGS, nullptr},
                           {"status_name", status_name, METH_O, nullptr},
                           {"status_type", status_type, METH_O, nullptr},
                           {nullptr, nullptr, 0, nullptr}};

PyTypeObject* add_type(PyObject* module, PyType_Spec& spec) {
    auto* const type =
        reinterpret_cast<PyTypeObject*>(PyType_FromModuleAndSpec(module, &spec, nullptr));
    return type && PyModule_AddType(module, type) == 0 ? type : nullptr;
}

int execute(PyObject* module) {
    auto* const state = state_in(module);
    state->client = add_type(module, client_spec);
    state->region = add_type(module, region_spec);
    state->view = add_type(module, view_spec);
    if (!state->client || !state->region || !state->view) return -1;
    auto* const ring = add_type(module, ring_spec);
    if (!ring) return -1;
    Py_DECREF(ring);  // the module has it
    return PyModule_AddStringConstant(module, "version", snakepit_shm_version());
}

int traverse(PyObject* module, visitproc visit, void* arg) {
    auto* const state = state_in(module);
    Py_VISIT(state->client);
    Py_VISIT(state->region);
    Py_VISIT(state->view);
    Py_VISIT(state->error);
    Py_VISIT(state->buffer_in_use);
    Py_VISIT(state->region_class);
    return 0;
}

int clear(PyObject* module) {
    auto* const state = state_in(module);
    Py_CLEAR(state->client);
    Py_CLEAR(state->region);
    Py_CLEAR(state->view);
    Py_CLEAR(state->error);
    Py_CLEAR(state->buffer_in_use);
    Py_CLEAR(state->region_class);
    return 0;
}

// From Python 3.12 on a module says that it may be imported by interpreters with a GIL of their
// own: slot 3, value 2 of later headers.
constexpr int kMultipleInterpreters = 3;
void* const kOwnGil = reinterpret_cast<void*>(2);

PyModuleDef_Slot slots[] = {
    {Py_mod_exec, reinterpret_cast<void*>(execute)}, {0, nullptr}, {0, nullptr}};

PyModuleDef definition = {PyModuleDef_HEAD_INIT,
                          "_native",
                          "The client of the manager; use snakepit_shm.",
                          sizeof(ModuleState),
                          functions,
                          slots,
                          traverse,
                          clear,
                          nullptr};

}  // namespace

}  // namespace snakepit::python

PyMODINIT_FUNC PyInit__native() {
    using namespace snakepit::python;
    constexpr unsigned long kPython312 = 0x030C0000;
    if (Py_Version >= kPython312) slots[1] = {kMultipleInterpreters, kOwnGil};
    return PyModuleDef_Init(&definition);
}
