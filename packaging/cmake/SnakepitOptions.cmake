# SPDX-License-Identifier: MIT
# Compiler settings every target shares: language level, warnings, sanitizers, where outputs land.

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_CXX_VISIBILITY_PRESET hidden)
set(CMAKE_VISIBILITY_INLINES_HIDDEN ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/bin")
set(CMAKE_LIBRARY_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/lib")
set(CMAKE_ARCHIVE_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/lib")
set(CMAKE_COMPILE_WARNING_AS_ERROR "$CACHE{CMAKE_COMPILE_WARNING_AS_ERROR}")

# Headers of the core, for programs that host a manager; and the libraries as programs see them.
set(SNAKEPIT_INSTALL_COREDIR "${CMAKE_INSTALL_INCLUDEDIR}/snakepit-shm-core")
file(RELATIVE_PATH SNAKEPIT_LIBDIR_FROM_BINDIR "/${CMAKE_INSTALL_BINDIR}" "/${CMAKE_INSTALL_LIBDIR}")

option(SNAKEPIT_FUZZ "Build the fuzz targets (needs clang)" OFF)
option(SNAKEPIT_GUI "Build the desktop monitor" ON)
option(SNAKEPIT_UNITY "Compile the sources of a library several at a time" ON)
set(SNAKEPIT_UNITY_BATCH 8 CACHE STRING "How many; 0: all, which finds every name that two of them share")
set(SNAKEPIT_SANITIZER "" CACHE STRING "address (with undefined) or thread; empty for none")

if(NOT CMAKE_BUILD_TYPE)
    set(CMAKE_BUILD_TYPE RelWithDebInfo CACHE STRING "" FORCE)
endif()
# RelWithDebInfo with -O2 and small debug information: optimised, and a backtrace still names lines.
set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O2 -g1 -DNDEBUG")

# A cache can use precompiled headers only if it may overlook their times and macros.
find_program(SNAKEPIT_CCACHE ccache)
if(SNAKEPIT_CCACHE)
    set(launcher "${CMAKE_COMMAND}" -E env CCACHE_SLOPPINESS=pch_defines,time_macros "${SNAKEPIT_CCACHE}")
    set(CMAKE_CXX_COMPILER_LAUNCHER "${launcher}")
    set(CMAKE_C_COMPILER_LAUNCHER "${launcher}")
    if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
        add_compile_options("$<$<COMPILE_LANGUAGE:CXX>:-fpch-preprocess>")
    endif()
endif()

add_library(snakepit_options INTERFACE)
# Qt's macros 'slots' and 'signals' would rewrite our names.
target_compile_definitions(snakepit_options INTERFACE QT_NO_KEYWORDS)
target_compile_options(snakepit_options INTERFACE -Wall -Wextra -Wpedantic -Wshadow
    -Wnon-virtual-dtor -Wno-missing-field-initializers)
if(SNAKEPIT_SANITIZER STREQUAL "address")
    target_compile_options(snakepit_options INTERFACE -fsanitize=address,undefined
        -fno-sanitize-recover=undefined -fno-omit-frame-pointer)
    target_link_options(snakepit_options INTERFACE -fsanitize=address,undefined)
elseif(SNAKEPIT_SANITIZER STREQUAL "thread")
    target_compile_options(snakepit_options INTERFACE -fsanitize=thread -Wno-tsan)
    target_link_options(snakepit_options INTERFACE -fsanitize=thread)
endif()
if(SNAKEPIT_FUZZ)
    # Everything a fuzz target calls has to be instrumented, not only the target.
    set(fuzz_flags -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined)
    target_compile_options(snakepit_options INTERFACE ${fuzz_flags})
    target_link_options(snakepit_options INTERFACE ${fuzz_flags})
endif()

# snakepit_compile_together(TARGETS…): most of the time of a source is that of the headers it includes, which sources
# compiled together read once. Names of theirs that nobody else sees have to differ for that.
function(snakepit_compile_together)
    if(NOT SNAKEPIT_UNITY)
        return()
    endif()
    set_target_properties(${ARGV} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE ${SNAKEPIT_UNITY_BATCH})
    if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
        foreach(target IN LISTS ARGV)
            # What a source defines in an unnamed namespace is in an included file then.
            target_compile_options(${target} PRIVATE $<$<COMPILE_LANGUAGE:CXX>:-Wno-subobject-linkage>)
        endforeach()
    endif()
endfunction()

# snakepit_module(NAME SOURCES… DEPENDS…): one static library a module, named snakepit_<module>. Packages get
# it as SnakepitShm::<module>, without our warnings.
function(snakepit_module NAME)
    cmake_parse_arguments(MODULE "" "" "SOURCES;DEPENDS" ${ARGN})
    add_library(snakepit_${NAME} STATIC ${MODULE_SOURCES})
    target_link_libraries(snakepit_${NAME} PUBLIC "$<BUILD_INTERFACE:snakepit_options>" ${MODULE_DEPENDS})
    target_compile_features(snakepit_${NAME} PUBLIC cxx_std_20)
    target_include_directories(snakepit_${NAME} PUBLIC "$<BUILD_INTERFACE:${CMAKE_SOURCE_DIR}/core>"
        "$<INSTALL_INTERFACE:${SNAKEPIT_INSTALL_COREDIR}>")
    set_target_properties(snakepit_${NAME} PROPERTIES EXPORT_NAME ${NAME})
    snakepit_compile_together(snakepit_${NAME})
    set_property(GLOBAL APPEND PROPERTY SNAKEPIT_MODULES snakepit_${NAME})
endfunction()
