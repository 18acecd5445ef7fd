// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QString>
#include <cstdint>
#include <string_view>
#include <vector>

#include "layout/registry_reader.h"

namespace snakepit::shm::ui {

// The names that connected programs announced as workers. Any thread.
void set_worker_names(const std::vector<ClientInfo>& clients);
QString worker_name(std::int64_t pid);  // empty: none was announced

// "python3 4711 (encoder)": program, process id and the name of its worker, if it has one.
QString process_text(std::string_view program, std::int64_t pid);

}  // namespace snakepit::shm::ui
