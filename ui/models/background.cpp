// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/background.h"

namespace snakepit::shm::ui {

Background::Background(const QString& name) : worker_(new QObject) {
    worker_->moveToThread(&thread_);
    thread_.setObjectName(name);
    thread_.start(QThread::LowPriority);
}

Background::~Background() {
    thread_.requestInterruption();
    thread_.quit();
    thread_.wait();
    delete worker_;
}

}  // namespace snakepit::shm::ui
