// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

namespace snakepit::shm::ui {

class EmptyState;
class Workspace;

// Nothing is shared yet: a command and a few lines of Python that change that.
EmptyState* make_getting_started(Workspace& workspace);

}  // namespace snakepit::shm::ui
