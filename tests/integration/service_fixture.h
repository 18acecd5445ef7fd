// SPDX-License-Identifier: MIT
// Real processes for tests: an instance's service, the command line, and other programs. All of
// them live in a directory of the test's own (on a tmpfs where there is room) and end with the
// test.
#pragma once

#include <QJsonObject>
#include <QProcess>
#include <QProcessEnvironment>
#include <QString>
#include <QStringList>
#include <QTemporaryDir>

#include <csignal>
#include <memory>

namespace snakepit::shm::test {

// How long anything may take before a test gives up waiting for its event; no test waits this long
// when all is well.
inline constexpr int kPatienceMs = 60'000;

// A directory for run time files, state, configuration and segments. Several instances may share
// one.
class TestHost {
  public:
    TestHost();

    // For children; none of the user's own settings is left in it.
    QProcessEnvironment environment(const QString& instance) const;
    // The same for this process, for clients inside the test.
    void use_in_this_process(const QString& instance) const;

    // Lines for [shared_memory], such as "max_regions = 3"; before the service starts, or followed
    // by a reload.
    void configure(const QString& lines) const;
    QString config_file() const { return directory_.filePath("config/snakepit-shm/config.toml"); }
    QString runtime_dir(const QString& instance) const;
    QString state_dir(const QString& instance) const;
    // Names of the segments there are now.
    QStringList segments() const;
    QString path(const QString& name) const { return directory_.filePath(name); }

  private:
    QTemporaryDir directory_;
};

struct Finished {
    int status = -1;  // exit status, or minus the signal
    QString out, err;

    QJsonObject json() const;   // of standard output; empty if it is no JSON object
    QJsonObject error() const;  // "error" of the last line of standard error; empty if that is none
};

// A program that goes on running: reads and writes lines, dies when told.
class Peer {
  public:
    Peer(const QString& program, const QStringList& words, const QProcessEnvironment& environment);
    ~Peer();

    bool running() const { return process_.state() == QProcess::Running; }
    qint64 pid() const { return process_.processId(); }
    // Its next line; a null string when it ended instead, or nothing came for kPatienceMs.
    QString line();
    void say(const QString& line);
    // say() and line().
    QString ask(const QString& line) {
        say(line);
        return this->line();
    }
    // Sends the signal and waits for the end.
    Finished end(int signal = SIGKILL);
    Finished wait();

  private:
    QProcess process_;
};

// `snakepit-shm serve` for one instance.
class Service {
  public:
    explicit Service(std::shared_ptr<TestHost> host = std::make_shared<TestHost>(),
                     QString instance = "test");
    ~Service();

    // Returns when it serves; false when it ended instead.
    bool start();
    int kill();  // -9; what Finished::status says of its end: -SIGKILL if that was it
    int stop();  // SIGTERM; its exit status
    bool restart_after_kill() {
        kill();
        return start();
    }

    TestHost& host() const { return *host_; }
    const QString& instance() const { return instance_; }
    qint64 pid() const { return service_ ? service_->pid() : 0; }
    bool running() const { return service_ && service_->running(); }

    // Runs the command line to its end.
    Finished cli(const QStringList& words) const;
    QJsonObject cli_json(QStringList words) const;
    // Starts it and does not wait.
    std::unique_ptr<Peer> cli_peer(const QStringList& words) const;
    // A Python program of tests/integration/programs, with the module on its path.
    std::unique_ptr<Peer> python(const QString& program, const QStringList& words = {}) const;

  private:
    std::shared_ptr<TestHost> host_;
    QString instance_;
    std::unique_ptr<Peer> service_;
};

}  // namespace snakepit::shm::test
