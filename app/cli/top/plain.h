// SPDX-License-Identifier: MIT
// The same where standard output is not a terminal: a frame of text, and a document.
#pragma once

#include <string>

#include <QJsonObject>

#include "top/model.h"

namespace snakepit::shm::cli {

// The head and every region. `columns` of the terminal, 0 where the output is none: what does not
// fit is cut or left out.
std::string plain_frame(Model& model, std::size_t columns);
QJsonObject document(const Model& model);

}  // namespace snakepit::shm::cli
