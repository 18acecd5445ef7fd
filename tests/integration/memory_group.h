// SPDX-License-Identifier: MIT
// A control group of version 1 with a memory limit, for as long as the object lives.
#pragma once

#include <QDir>
#include <QFile>
#include <QString>
#include <QThread>

#include <unistd.h>

namespace snakepit::shm::test {

class MemoryGroup {
  public:
    // Invalid where there is no such controller or we may not make groups.
    explicit MemoryGroup(const QString& name, std::uint64_t bytes)
        : MemoryGroup(bytes, QString("/snakepit-test-%1-%2").arg(name).arg(::getpid())) {}
    // Below another.
    MemoryGroup(const MemoryGroup& above, const QString& name, std::uint64_t bytes)
        : MemoryGroup(bytes, above.name() + "/" + name) {}
    MemoryGroup(std::uint64_t bytes, QString name)
        : name_(std::move(name)), path_("/sys/fs/cgroup/memory" + name_) {
        made_ = QDir().mkdir(path_) &&
                write("memory.limit_in_bytes", QByteArray::number(static_cast<qulonglong>(bytes)));
    }
    ~MemoryGroup() {
        if (!QDir(path_).exists()) return;
        for (const auto& pid : read("cgroup.procs").split('\n'))
            if (!pid.isEmpty()) leave(pid);
        // Pages of files that are gone stay charged until they are asked for.
        write("memory.force_empty", "0");
        for (int i = 0; i < 100 && !QDir().rmdir(path_); ++i) QThread::msleep(20);
    }
    MemoryGroup(const MemoryGroup&) = delete;
    MemoryGroup& operator=(const MemoryGroup&) = delete;

    bool valid() const { return made_; }
    const QString& name() const { return name_; }
    bool add(qint64 pid) const { return write("cgroup.procs", QByteArray::number(pid)); }
    std::uint64_t used() const { return read("memory.usage_in_bytes").toULongLong(); }
    // Processes the kernel ended for memory.
    int kills() const {
        const auto text = read("memory.oom_control");
        const auto at = text.indexOf("oom_kill ");
        return at < 0 ? -1 : text.mid(at + 9).trimmed().toInt();
    }

  private:
    // To where this process is.
    static void leave(const QByteArray& pid) {
        QFile groups("/proc/self/cgroup");
        if (!groups.open(QIODevice::ReadOnly)) return;
        for (const auto& line : groups.readAll().split('\n')) {
            const auto at = line.indexOf(":memory:");
            if (at < 0) continue;
            QFile own("/sys/fs/cgroup/memory" + QString::fromUtf8(line.mid(at + 8)) +
                      "/cgroup.procs");
            if (own.open(QIODevice::WriteOnly | QIODevice::Unbuffered)) own.write(pid);
        }
    }
    bool write(const char* file, const QByteArray& text) const {
        QFile out(path_ + "/" + file);
        return out.open(QIODevice::WriteOnly | QIODevice::Unbuffered) &&
               out.write(text) == text.size();
    }
    QByteArray read(const char* file) const {
        QFile in(path_ + "/" + file);
        return in.open(QIODevice::ReadOnly) ? in.readAll() : QByteArray();
    }

    QString name_, path_;
    bool made_ = false;
};

}  // namespace snakepit::shm::test
