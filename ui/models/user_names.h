// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QString>
#include <cstdint>

namespace snakepit::shm::ui {

// How users are called. The system may take its time to say, so it is asked on worker threads, and
// what was learnt is there for the GUI thread. Any thread.
void learn_user(std::uint32_t uid);  // asks once; may wait
// What is shown is another machine's: its users are not ours, and stay numbers. Before the first.
void learn_no_users();
QString user_text(std::uint32_t uid);  // the name, or the number as long as that is not known

}  // namespace snakepit::shm::ui
