# SPDX-License-Identifier: MIT
# Runs at installation: units and configuration name the prefix that `cmake --install --prefix` gives,
# not the one that was configured. Set by CMakeLists.txt: source, bindir, sysconfdir, systemddir.
if(CMAKE_INSTALL_COMPONENT AND NOT CMAKE_INSTALL_COMPONENT STREQUAL "Unspecified")
    return()
endif()
foreach(directory bindir sysconfdir systemddir)
    cmake_path(ABSOLUTE_PATH ${directory} BASE_DIRECTORY "${CMAKE_INSTALL_PREFIX}" NORMALIZE)
endforeach()
# The host's own packages have their configuration in /etc.
if(sysconfdir STREQUAL "/usr/etc")
    set(sysconfdir "/etc")
endif()
set(CMAKE_INSTALL_FULL_BINDIR "${bindir}")
set(CMAKE_INSTALL_FULL_SYSCONFDIR "${sysconfdir}")

# Like install(FILES … RENAME), with variables replaced.
function(install_configured input output)
    message(STATUS "Installing: $ENV{DESTDIR}${output}")
    configure_file("${source}/${input}" "$ENV{DESTDIR}${output}" @ONLY NO_SOURCE_PERMISSIONS)
    list(APPEND CMAKE_INSTALL_MANIFEST_FILES "${output}")
    set(CMAKE_INSTALL_MANIFEST_FILES "${CMAKE_INSTALL_MANIFEST_FILES}" PARENT_SCOPE)
endfunction()
install_configured(snakepit-shm.service.in "${systemddir}/system/snakepit-shm.service")
install_configured(snakepit-shm-user.service.in "${systemddir}/user/snakepit-shm.service")
install_configured(snakepit-shm-origins.service.in "${systemddir}/system/snakepit-shm-origins.service")
install_configured(service.toml "${sysconfdir}/snakepit-shm/service.toml")
