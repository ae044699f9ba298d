/* The fuzzer's way into the engine: starts Python once, finds the function of a
 * fuzz door (a `cdef int name(const char*, size_t) noexcept nogil` that its .pxd
 * declares), and calls it for every input. A result other than 0 is a broken
 * promise and ends the process.
 *
 * FUZZ_DOOR    the module, e.g. ext.testing.fuzz_http
 * FUZZ_TARGET  the function, e.g. fuzz_message
 * FUZZ_ENGINE  the engine's object, built with coverage and sanitizers
 * FUZZ_TLS     the same of the object with OpenSSL in it */
#include <Python.h>

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

static int (*target)(const char*, size_t);

static const char* setting(const char* name)
{
    const char* value = getenv(name);
    if (!value) {
        fprintf(stderr, "%s is not set\n", name);
        exit(2);
    }
    return value;
}

int LLVMFuzzerInitialize(int* argc, char*** argv)
{
    char start[2048];
    PyObject *door, *table, *entry = NULL;
    (void)argc, (void)argv;
    Py_InitializeEx(0);
    snprintf(start, sizeof start, "import sys; sys.path.insert(0, '.'); import ext; ext.ENGINE, ext.TLS = '%s', '%s'",
             setting("FUZZ_ENGINE"), setting("FUZZ_TLS"));
    if (PyRun_SimpleString(start) == 0 && (door = PyImport_ImportModule(setting("FUZZ_DOOR")))
        && (table = PyObject_GetAttrString(door, "__pyx_capi__")))
        entry = PyDict_GetItemString(table, setting("FUZZ_TARGET"));
    if (!entry) {
        if (PyErr_Occurred())
            PyErr_Print();
        fprintf(stderr, "no such fuzz door\n");
        exit(2);
    }
    target = (int (*)(const char*, size_t))PyCapsule_GetPointer(entry, PyCapsule_GetName(entry));
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size)
{
    int broken = target((const char*)data, size);
    if (broken) {
        fprintf(stderr, "promise %d is broken\n", broken);
        abort();
    }
    return 0;
}
