// SPDX-License-Identifier: MIT
// The same for those who are no terminal: a frame of text, and a document.
#pragma once

#include <string>

#include <QJsonObject>

#include "top/model.h"

namespace snakepit::shm::cli {

// The head and every region.
std::string plain_frame(Model& model);
QJsonObject document(const Model& model);

}  // namespace snakepit::shm::cli
