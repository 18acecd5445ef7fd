# SPDX-License-Identifier: MIT
# Everything comes from Debian 12's packages; packaging/dev installs them.

find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_package(fmt REQUIRED)
find_package(tl-expected REQUIRED)
find_package(Boost 1.74 REQUIRED)
find_package(FlatBuffers REQUIRED)
find_package(SQLiteCpp REQUIRED)
find_package(SQLite3 REQUIRED)
find_package(ZLIB REQUIRED)
find_package(tomlplusplus REQUIRED)
find_package(CLI11 REQUIRED)
find_package(OpenSSL 3 REQUIRED COMPONENTS Crypto)
find_package(Qt6 6.4 REQUIRED COMPONENTS Core Test)
if(SNAKEPIT_GUI)
    find_package(Qt6 6.4 REQUIRED COMPONENTS Gui Widgets PrintSupport Svg LinguistTools)
    find_package(QCustomPlotQt6 REQUIRED)
endif()
pkg_check_modules(CPP_HTTPLIB REQUIRED IMPORTED_TARGET cpp-httplib)
find_program(FLATC flatc REQUIRED)
pkg_check_modules(ncursesw REQUIRED IMPORTED_TARGET ncursesw)  # the terminal monitor
