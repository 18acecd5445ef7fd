// SPDX-License-Identifier: MIT
// The origin log as a program, and what it recorded.
#pragma once

#include <QProcess>
#include <QString>
#include <QStringList>
#include <QTemporaryDir>

#include <csignal>

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "origins/origin_reader.h"

namespace snakepit::shm::test {

// snakepit-shm-origins with a database of the test's own.
class OriginLogProgram {
  public:
    // `words`: its options. `through`: a program that starts it.
    explicit OriginLogProgram(QStringList words, QStringList through = {});
    ~OriginLogProgram() { end(SIGKILL); }

    // Waits until it records; false: it ended instead.
    bool start(const QProcessEnvironment& more = {});
    // Its exit status, or minus the signal.
    int end(int signal = SIGTERM);
    qint64 pid() const { return process_ ? process_->processId() : 0; }
    QString said();  // on standard error

    const QString& directory() const { return place_; }
    void keep_in(const QString& directory) { place_ = directory; }
    std::string database() const { return (place_ + "/origins.db").toStdString(); }
    // What is recorded now of the segment at `path`; empty: nothing.
    std::optional<survey::Origin> origin_of(const QString& path) const;
    // The same of any segment, asked by opening `directory`.
    std::optional<survey::Origin> find(const survey::SegmentIdentity& segment,
                                       const QString& directory) const;

  private:
    QStringList words_, through_;
    QTemporaryDir own_;
    QString place_;
    std::unique_ptr<QProcess> process_;
};

// A child that runs `work` and then waits to be told to end.
class Maker {
  public:
    explicit Maker(const std::function<void()>& work);
    ~Maker() { end(); }
    qint64 pid() const { return pid_; }
    // By this signal; 0: by exit status 7.
    void end(int signal = SIGKILL);

  private:
    qint64 pid_ = 0;
    int tells_ = -1;
};

// Waits until it is true, or for a minute.
bool becomes_true(const std::function<bool()>& question);

// A tmpfs at a directory of the test's own, in a mount namespace of its own. Before the first
// thread; false: not allowed.
bool enter_own_mounts();
bool mount_memory(const QString& directory, const char* options = "mode=1777");

}  // namespace snakepit::shm::test
