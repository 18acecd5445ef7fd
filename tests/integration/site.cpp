// SPDX-License-Identifier: MIT
#include "site.h"

#include <sys/stat.h>
#include <unistd.h>

#include <QDir>
#include <QFile>
#include <QJsonArray>
#include <QJsonDocument>
#include <QStandardPaths>

namespace snakepit::shm::test {

namespace {

// Reads lines and runs each; the answer is what it printed on one line.
constexpr auto kShell = R"(
serve() { "$SS" serve >>"$LOG" 2>&1 & M=$!; for i in $(seq 600); do kill -0 $M 2>/dev/null || break
  "$SS" status >/dev/null 2>&1 && { echo up; return; }; sleep .05; done; echo down; }
end() { kill -$1 $M 2>/dev/null; wait $M 2>/dev/null; echo $?; }
hold() { coproc H { exec /usr/bin/python3 "$HOLDER" "$1"; } 2>>"$LOG"; read -r line <&"${H[0]}"; HP=$H_PID; echo "$line"; }
release() { kill -TERM $HP 2>/dev/null; wait $HP 2>/dev/null; echo $?; }
trap 'kill -9 $M $HP 2>/dev/null' EXIT
echo ready
while IFS= read -r line; do eval "$line" >"$LOG.out" 2>>"$LOG"; tr '\n' ' ' <"$LOG.out"; echo; done
)";

constexpr auto kHolder = R"(
import signal, sys, time
import snakepit_shm
client = snakepit_shm.Client()
region = client.map(sys.argv[1])
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
print('holds', flush=True)
while bytes(region.view[:4]) == b'text':
    time.sleep(.02)
sys.exit(3)
)";

void write(const QString& path, const char* text) {
    QFile file(path);
    if (!file.open(QIODevice::WriteOnly)) qFatal("cannot write %s", qPrintable(path));
    file.write(text);
}

}  // namespace

QString Site::missing() {
    if (::geteuid() != 0) return "namespaces and users of one's own need root";
    for (const auto* program : {"unshare", "setpriv", "bash"})
        if (QStandardPaths::findExecutable(program).isEmpty())
            return QString("there is no %1").arg(program);
    QProcess trial;
    trial.start("unshare", {"-m", "-p", "-f", "--mount-proc", "true"});
    trial.waitForFinished(kPatienceMs);
    return trial.exitCode() == 0 ? QString() : QString("no namespaces can be made here");
}

Site::Site(std::shared_ptr<TestHost> host, Space space, unsigned user, QString instance)
    : host_(std::move(host)) {
    static int count = 0;
    const auto number = QString::number(++count);
    const bool own = space != Space::host;
    const auto run = host_->path(own ? "run" : "run" + number);
    const auto state = host_->path(own ? "st" : "st" + number);
    for (const auto& path : {run, state}) {
        QDir().mkpath(path);
        ::chmod(path.toUtf8().constData(), 0700);
    }
    // Others than root come through here, and make segments.
    ::chmod(host_->path("").toUtf8().constData(), 0711);
    ::chmod(host_->path("segments").toUtf8().constData(), 01777);
    write(host_->path("shell"), kShell);
    write(host_->path("holder"), kHolder);
    auto environment = host_->environment(instance);
    environment.insert("SNAKEPIT_SHM_RUNTIME_DIR", run);
    environment.insert("SNAKEPIT_SHM_STATE_DIR", state);
    environment.insert("SNAKEPIT_SHM_CONFIG", host_->config_file());
    environment.insert("SS", QStringLiteral(SNAKEPIT_BIN_DIR) + "/snakepit-shm");
    environment.insert("HOME", host_->path(""));
    environment.insert("PYTHONPATH", QStringLiteral(SNAKEPIT_BIN_DIR) + "/../python");
    environment.insert("HOLDER", host_->path("holder"));
    environment.insert("LOG", host_->path("log" + number));
    environment.insert("OWN", own ? "1" : "");
    environment.insert("WHO", QString::number(user));
    const QString begin =
        R"([ -n "$OWN" ] && { mount -t tmpfs -o mode=700 x "$SNAKEPIT_SHM_RUNTIME_DIR"; mount -t tmpfs -o mode=700 x "$SNAKEPIT_SHM_STATE_DIR"; }
           chown "$WHO" "$SNAKEPIT_SHM_RUNTIME_DIR" "$SNAKEPIT_SHM_STATE_DIR"; touch "$LOG" "$LOG.out"; chmod 666 "$LOG" "$LOG.out"
           exec setpriv --reuid "$WHO" --regid "$WHO" --clear-groups bash )" +
        host_->path("shell");
    QStringList words{"bash", "-c", begin};
    if (space == Space::mount) words = QStringList{"unshare", "-m"} + words;
    if (space == Space::mount_and_pid)
        words = QStringList{"unshare", "-m", "-p", "-f", "--kill-child", "--mount-proc"} + words;
    shell_ = std::make_unique<Peer>(words.takeFirst(), words, environment);
    if (shell_->line() != "ready") qWarning("the site did not begin");
}

// Its input ends, and with it the shell; what it started it ends itself.
Site::~Site() {
    if (shell_) (void)shell_->wait();
}

QString Site::run(const QString& line) {
    return shell_->ask(line).trimmed();
}
bool Site::start() {
    return run("serve") == "up";
}
int Site::kill() {
    return run("end 9").toInt();
}
int Site::stop() {
    return run("end TERM").toInt();
}

QJsonObject Site::json(const QString& words) {
    return QJsonDocument::fromJson(run("\"$SS\" " + words + " --json").toUtf8()).object();
}

QString Site::allocate(const QString& words) {
    const auto id = json("allocate " + words).value("id").toString();
    if (!id.isEmpty()) run("printf text | \"$SS\" write " + id);
    return id;
}

bool Site::whole(const QString& id) {
    return run("\"$SS\" read " + id + " | head -c 4") == "text";
}

QStringList Site::kinds() {
    QStringList out;
    for (const auto& event : json("events").value("events").toArray())
        out += event.toObject().value("kind").toString();
    return out;
}

void Site::hold(const QString& id) {
    if (run("hold " + id) != "holds") qWarning("the region cannot be held");
}
int Site::release() {
    return run("release").toInt();
}

}  // namespace snakepit::shm::test
