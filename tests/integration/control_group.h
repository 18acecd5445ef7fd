// SPDX-License-Identifier: MIT
// A control group of version 2, for as long as the object lives.
#pragma once

#include <sys/vfs.h>
#include <unistd.h>

#include <QDir>
#include <QString>
#include <QThread>

namespace snakepit::shm::test {

class ControlGroup {
  public:
    // Invalid where there is no such hierarchy or we may not make groups.
    explicit ControlGroup(const QString& name) {
        constexpr auto kVersion2 = 0x63677270;
        for (const QString place : {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"}) {
            struct statfs info {};
            if (::statfs(qPrintable(place), &info) != 0 || info.f_type != kVersion2) continue;
            path_ = QString("%1/snakepit-test-%2-%3").arg(place, name).arg(::getpid());
            made_ = QDir().mkdir(path_);
        }
    }
    ~ControlGroup() { end(); }
    ControlGroup(const ControlGroup&) = delete;
    ControlGroup& operator=(const ControlGroup&) = delete;

    bool valid() const { return made_; }
    // The words in front of a program that starts it in here.
    QStringList through() const {
        if (!made_) return {};
        return {"/bin/sh", "-c", "echo $$ > \"$0/cgroup.procs\" && exec \"$@\"", path_};
    }
    // Removes it, which the kernel permits when it has no processes.
    bool end() {
        for (int i = 0; made_ && i < 500; ++i) {
            if (QDir().rmdir(path_))
                made_ = false;
            else
                QThread::msleep(20);
        }
        return !made_;
    }

  private:
    QString path_;
    bool made_ = false;
};

}  // namespace snakepit::shm::test
