# SPDX-License-Identifier: MIT

# What every test includes, compiled once: reading it is more than half of a test's compile time.
# An executable, so that its compiler options are those of the tests.
file(WRITE "${CMAKE_BINARY_DIR}/test_headers.cpp" "int main() { return 0; }\n")
# Qt's build and source directories of a test are of no use to us, and would make these headers
# another text in each folder.
set(SNAKEPIT_TEST_OPTIONS -UQT_TESTCASE_BUILDDIR -UQT_TESTCASE_SOURCEDIR)

# snakepit_test_headers(NAME [HEADERS…] [LIBS…]): the headers of tests that are linked with these
# libraries; HEADERS come on top of what all tests include. Libraries of Qt define macros that its
# headers read, so tests with others need headers of their own.
function(snakepit_test_headers NAME)
    cmake_parse_arguments(TEST "" "" "HEADERS;LIBS" ${ARGN})
    add_executable(${NAME} "${CMAKE_BINARY_DIR}/test_headers.cpp")
    target_compile_definitions(${NAME} PRIVATE QT_NO_KEYWORDS)
    target_compile_options(${NAME} PRIVATE ${SNAKEPIT_TEST_OPTIONS})
    target_link_libraries(${NAME} PRIVATE snakepit_options Qt6::Test ${TEST_LIBS})
    target_precompile_headers(${NAME} PRIVATE
        <algorithm> <array> <atomic> <chrono> <cstdint> <functional> <map> <memory> <mutex> <optional> <string>
        <string_view> <thread> <unordered_map> <utility> <vector>
        <fmt/format.h> <fmt/ranges.h> <tl/expected.hpp>
        <QDir> <QFile> <QJsonArray> <QJsonDocument> <QJsonObject> <QProcess> <QTemporaryDir> <QtTest>
        ${TEST_HEADERS})
endfunction()
snakepit_test_headers(snakepit_test_headers)

# What `#include "X.moc"` and `#include "moc_X.cpp"` name in a test's sources. Not AUTOMOC: it
# compiles one more file for each test.
function(snakepit_moc NAME)
    set(directory "${CMAKE_CURRENT_BINARY_DIR}/${NAME}.dir")
    foreach(source ${ARGN})
        get_filename_component(stem "${source}" NAME_WE)
        set(output "${stem}.moc")
        if(source MATCHES "\\.h$")
            set(output "moc_${stem}.cpp")
        endif()
        file(STRINGS "${source}" object REGEX "Q_OBJECT" LIMIT_COUNT 1)
        if(object)
            qt6_generate_moc("${source}" "${directory}/${output}" TARGET ${NAME})
            set_source_files_properties("${directory}/${output}" PROPERTIES HEADER_FILE_ONLY ON)
            target_sources(${NAME} PRIVATE "${directory}/${output}")
        endif()
    endforeach()
    target_include_directories(${NAME} PRIVATE "${directory}")
endfunction()

# snakepit_test(NAME SOURCES… [LIBS…] [HEADERS target] [TIMEOUT seconds] [LABELS…]): a Qt Test program,
# run by CTest under the same name; its folder's name is a label. A source that declares its test class itself
# ends with `#include "<source>.moc"`. Qt's keywords are off (write Q_SLOTS): our layouts have slots of their own.
function(snakepit_test NAME)
    cmake_parse_arguments(TEST "" "TIMEOUT;HEADERS" "SOURCES;LIBS;LABELS" ${ARGN})
    if(NOT TEST_HEADERS)
        set(TEST_HEADERS snakepit_test_headers)
    endif()
    if(NOT TEST_TIMEOUT)
        set(TEST_TIMEOUT 300)
    endif()
    math(EXPR TEST_TIMEOUT "3 * ${TEST_TIMEOUT}")  # on a machine that others keep busy
    get_filename_component(folder "${CMAKE_CURRENT_SOURCE_DIR}" NAME)
    list(PREPEND TEST_LABELS "${folder}")
    add_executable(${NAME} ${TEST_SOURCES})
    snakepit_moc(${NAME} ${TEST_SOURCES})
    target_precompile_headers(${NAME} REUSE_FROM ${TEST_HEADERS})
    target_compile_definitions(${NAME} PRIVATE QT_NO_KEYWORDS)
    target_compile_options(${NAME} PRIVATE ${SNAKEPIT_TEST_OPTIONS})
    target_link_libraries(${NAME} PRIVATE snakepit_options Qt6::Test ${TEST_LIBS})
    add_test(NAME ${NAME} COMMAND ${NAME})
    set_tests_properties(${NAME} PROPERTIES TIMEOUT ${TEST_TIMEOUT} LABELS "${TEST_LABELS}"
        ENVIRONMENT "QT_QPA_PLATFORM=offscreen;QTEST_FUNCTION_TIMEOUT=3600000")  # CTest's limit is the one that counts
endfunction()
