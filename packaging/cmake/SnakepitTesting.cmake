# SPDX-License-Identifier: MIT

# snakepit_test(NAME SOURCES… [LIBS…] [TIMEOUT seconds] [LABELS…]): a Qt Test program, run by CTest
# under the same name. A source that declares its test class itself ends with
# `#include "<source>.moc"`. Qt's keywords are off (write Q_SLOTS): our layouts have slots of their own.
function(snakepit_test NAME)
    cmake_parse_arguments(TEST "" "TIMEOUT" "SOURCES;LIBS;LABELS" ${ARGN})
    if(NOT TEST_TIMEOUT)
        set(TEST_TIMEOUT 300)  # on a machine that others keep busy
    endif()
    add_executable(${NAME} ${TEST_SOURCES})
    set_target_properties(${NAME} PROPERTIES AUTOMOC ON)
    target_compile_definitions(${NAME} PRIVATE QT_NO_KEYWORDS)
    target_link_libraries(${NAME} PRIVATE snakepit_options Qt6::Test ${TEST_LIBS})
    add_test(NAME ${NAME} COMMAND ${NAME})
    set_tests_properties(${NAME} PROPERTIES TIMEOUT ${TEST_TIMEOUT} LABELS "${TEST_LABELS}"
        ENVIRONMENT "QT_QPA_PLATFORM=offscreen")
endfunction()
