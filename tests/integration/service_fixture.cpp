// SPDX-License-Identifier: MIT
#include "service_fixture.h"

#include <sys/prctl.h>

#include <QDebug>
#include <QDir>
#include <QFile>
#include <QJsonDocument>
#include <QStorageInfo>

namespace snakepit::shm::test {

namespace {

constexpr qint64 kRoomNeeded = 1LL << 30;  // bytes; the largest test shares 256 MiB

QString base_directory() {
    const QStorageInfo memory("/dev/shm");
    const bool roomy =
        memory.isValid() && !memory.isReadOnly() && memory.bytesAvailable() > kRoomNeeded;
    return (roomy ? QString("/dev/shm") : QDir::tempPath()) + "/snakepit-test-XXXXXX";
}

QString cli_program() {
    return QStringLiteral(SNAKEPIT_BIN_DIR) + "/snakepit-shm";
}

Finished finished(QProcess& process) {
    Finished out;
    if (process.state() != QProcess::NotRunning)
        qWarning("%s is still running", qPrintable(process.arguments().join(' ')));
    else
        out.status =
            process.exitStatus() == QProcess::CrashExit ? -process.exitCode() : process.exitCode();
    out.out = QString::fromUtf8(process.readAllStandardOutput());
    out.err = QString::fromUtf8(process.readAllStandardError());
    return out;
}

}  // namespace

TestHost::TestHost() : directory_(base_directory()) {
    for (const auto* name : {"runtime", "state", "config/snakepit-shm", "segments"})
        QDir(directory_.path()).mkpath(name);
    configure({});
}

QProcessEnvironment TestHost::environment(const QString& instance) const {
    auto out = QProcessEnvironment::systemEnvironment();
    for (const auto& key : out.keys())
        if (key.startsWith("SNAKEPIT_SHM_")) out.remove(key);
    for (const auto* key : {"RUNTIME_DIRECTORY", "STATE_DIRECTORY", "JOURNAL_STREAM"})
        out.remove(key);
    out.insert("XDG_RUNTIME_DIR", path("runtime"));
    out.insert("XDG_STATE_HOME", path("state"));
    out.insert("XDG_CONFIG_HOME", path("config"));
    out.insert("SNAKEPIT_SHM_INSTANCE", instance);
    out.insert("SNAKEPIT_SHM_LIBRARY", QStringLiteral(SNAKEPIT_LIB_DIR) + "/libsnakepit_shm.so");
    return out;
}

void TestHost::use_in_this_process(const QString& instance) const {
    const auto wanted = environment(instance);
    for (const auto& key : QProcessEnvironment::systemEnvironment().keys())
        if (!wanted.contains(key)) qunsetenv(key.toUtf8().constData());
    for (const auto& key : wanted.keys())
        qputenv(key.toUtf8().constData(), wanted.value(key).toUtf8());
}

void TestHost::configure(const QString& lines) const {
    QFile file(config_file());
    if (!file.open(QIODevice::WriteOnly | QIODevice::Truncate))
        qFatal("cannot write the configuration");
    file.write(
        QString("[shared_memory]\n%1\n[shared_memory.platform_options.linux]\nshm_path = \"%2\"\n")
            .arg(lines, path("segments"))
            .toUtf8());
}

QString TestHost::runtime_dir(const QString& instance) const {
    return path("runtime/snakepit-shm/" + instance);
}
QString TestHost::state_dir(const QString& instance) const {
    return path("state/snakepit-shm/" + instance);
}

QStringList TestHost::segments() const {
    return QDir(path("segments"))
        .entryList({"snakepit_*"}, QDir::Files | QDir::Hidden | QDir::System);
}

QJsonObject Finished::json() const {
    return QJsonDocument::fromJson(out.toUtf8()).object();
}

QJsonObject Finished::error() const {
    const auto last = err.trimmed().section('\n', -1);
    return QJsonDocument::fromJson(last.toUtf8()).object().value("error").toObject();
}

Peer::Peer(const QString& program, const QStringList& words,
           const QProcessEnvironment& environment) {
    process_.setProcessEnvironment(environment);
    process_.setChildProcessModifier([] { ::prctl(PR_SET_PDEATHSIG, SIGKILL); });
    process_.start(program, words);
    process_.waitForStarted(kPatienceMs);
}

Peer::~Peer() {
    if (process_.state() == QProcess::NotRunning) return;
    process_.kill();
    process_.waitForFinished(kPatienceMs);
}

QString Peer::line() {
    while (!process_.canReadLine())
        if (!process_.waitForReadyRead(kPatienceMs)) {
            qWarning("no line; it said on standard error: %s",
                     process_.readAllStandardError().constData());
            return {};
        }
    return QString::fromUtf8(process_.readLine()).trimmed();
}

void Peer::say(const QString& line) {
    process_.write(line.toUtf8() + '\n');
    process_.waitForBytesWritten(kPatienceMs);
}

Finished Peer::end(int signal) {
    if (running()) ::kill(static_cast<pid_t>(process_.processId()), signal);
    return wait();
}

Finished Peer::wait() {
    process_.closeWriteChannel();
    if (process_.state() != QProcess::NotRunning) process_.waitForFinished(kPatienceMs);
    return finished(process_);
}

Service::Service(std::shared_ptr<TestHost> host, QString instance)
    : host_(std::move(host)), instance_(std::move(instance)) {}

Service::~Service() {
    if (service_) stop();
}

bool Service::start() {
    service_ = cli_peer({"serve"});
    if (service_->line().contains("serving instance")) return true;
    service_.reset();
    return false;
}

int Service::kill() {
    if (!service_) return -1;
    const auto end = service_->end(SIGKILL);
    if (end.status != -SIGKILL) qWarning("the service said: %s", qPrintable(end.err));
    service_.reset();
    return end.status;
}

int Service::stop() {
    if (!service_) return -1;
    const auto end = service_->end(SIGTERM);
    if (!end.err.isEmpty()) qWarning("the service said: %s", qPrintable(end.err));
    service_.reset();
    return end.status;
}

Finished Service::cli(const QStringList& words) const {
    return cli_peer(words)->wait();
}

QJsonObject Service::cli_json(QStringList words) const {
    const auto end = cli(words << "--json");
    if (end.status != 0) qWarning() << words << "ended with" << end.status << end.err;
    return end.json();
}

std::unique_ptr<Peer> Service::cli_peer(const QStringList& words) const {
    return std::make_unique<Peer>(cli_program(), words, host_->environment(instance_));
}

std::unique_ptr<Peer> Service::python(const QString& program, const QStringList& words) const {
    auto environment = host_->environment(instance_);
    environment.insert("PYTHONPATH", QStringLiteral(SNAKEPIT_BIN_DIR) + "/../python");
    environment.insert("PYTHONDONTWRITEBYTECODE", "1");
    // A sanitizer's runtime has to come before everything else in a process it did not build.
    if (const QString runtime = QStringLiteral(SNAKEPIT_SANITIZER_RUNTIME); !runtime.isEmpty()) {
        environment.insert("LD_PRELOAD", runtime);
        environment.insert("ASAN_OPTIONS", environment.value("ASAN_OPTIONS") + ":detect_leaks=0");
    }
    return std::make_unique<Peer>("/usr/bin/python3",
                                  QStringList{QStringLiteral(SNAKEPIT_SOURCE_DIR) +
                                              "/tests/integration/programs/" + program} +
                                      words,
                                  environment);
}

}  // namespace snakepit::shm::test
