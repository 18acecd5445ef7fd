# SPDX-License-Identifier: MIT
# What other programs build with: the CMake package SnakepitShm and snakepit-shm.pc. Programs,
# plugins, the client library and its headers are installed where they are built.
include(CMakePackageConfigHelpers)

set(package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/SnakepitShm")

# Every module but the client's, whose interface is the C library, and what looks from outside.
get_property(modules GLOBAL PROPERTY SNAKEPIT_MODULES)
list(REMOVE_ITEM modules snakepit_client snakepit_diagnostics snakepit_relay)
add_library(snakepit_core INTERFACE)
target_link_libraries(snakepit_core INTERFACE snakepit_manager)
# Qt's macros 'slots' and 'signals' would rewrite names in our headers.
target_compile_definitions(snakepit_core INTERFACE QT_NO_KEYWORDS)
set_target_properties(snakepit_core PROPERTIES EXPORT_NAME core)
install(TARGETS snakepit_core ${modules} EXPORT SnakepitShmCore
    ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}/snakepit-shm")
install(DIRECTORY "${CMAKE_SOURCE_DIR}/core/" DESTINATION "${SNAKEPIT_INSTALL_COREDIR}"
    FILES_MATCHING PATTERN "*.h"
    PATTERN "core/include" EXCLUDE PATTERN "core/client" EXCLUDE PATTERN "core/diagnostics" EXCLUDE PATTERN "core/relay" EXCLUDE PATTERN "core/platform/linux" EXCLUDE)

foreach(half Client Core)
    install(EXPORT SnakepitShm${half} NAMESPACE SnakepitShm:: DESTINATION "${package_dir}"
        FILE SnakepitShm${half}Targets.cmake)
endforeach()
set(plugin_dir "${CMAKE_INSTALL_LIBDIR}/snakepit-shm/plugins")
configure_package_config_file("${CMAKE_SOURCE_DIR}/packaging/cmake/SnakepitShmConfig.cmake.in"
    "${CMAKE_BINARY_DIR}/SnakepitShmConfig.cmake" INSTALL_DESTINATION "${package_dir}" PATH_VARS plugin_dir)
write_basic_package_version_file("${CMAKE_BINARY_DIR}/SnakepitShmConfigVersion.cmake" COMPATIBILITY SameMinorVersion)
install(FILES "${CMAKE_BINARY_DIR}/SnakepitShmConfig.cmake" "${CMAKE_BINARY_DIR}/SnakepitShmConfigVersion.cmake"
    DESTINATION "${package_dir}")

# Relative to where the file itself lies, so that an installed tree can be moved.
file(RELATIVE_PATH prefix_from_pc "/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/")
configure_file("${CMAKE_SOURCE_DIR}/packaging/snakepit-shm.pc.in" "${CMAKE_BINARY_DIR}/snakepit-shm.pc" @ONLY)
install(FILES "${CMAKE_BINARY_DIR}/snakepit-shm.pc" DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig")

install(DIRECTORY "${CMAKE_SOURCE_DIR}/packaging/prometheus" "${CMAKE_SOURCE_DIR}/packaging/grafana"
    DESTINATION "${CMAKE_INSTALL_DATADIR}/snakepit-shm")

foreach(section 1 3 5 8)
    install(DIRECTORY "${CMAKE_SOURCE_DIR}/packaging/doc/man/" DESTINATION "${CMAKE_INSTALL_MANDIR}/man${section}"
        FILES_MATCHING PATTERN "*.${section}")
endforeach()
