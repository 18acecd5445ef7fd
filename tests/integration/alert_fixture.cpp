// SPDX-License-Identifier: MIT
#include "alert_fixture.h"

#include <QFile>
#include <QJsonArray>
#include <QJsonDocument>
#include <QtTest>

namespace snakepit::shm::test {

Receiver::Receiver(int port) {
    server_.Post("/hook", [this](const httplib::Request& request, httplib::Response&) {
        const auto body = QJsonDocument::fromJson(QByteArray::fromStdString(request.body)).object();
        const std::lock_guard lock(mutex_);
        for (const auto& alert : body[u"alerts"].toArray())
            got_ += alert[u"labels"][u"alertname"].toString() + " " + alert[u"status"].toString();
    });
    if (port == 0)
        port_ = server_.bind_to_any_port("127.0.0.1");
    else if (server_.bind_to_port("127.0.0.1", port))
        port_ = port;
    thread_ = std::thread([this] { server_.listen_after_bind(); });
    while (!server_.is_running()) std::this_thread::yield();
}

Receiver::~Receiver() {
    server_.stop();
    thread_.join();
}

QStringList Receiver::got() const {
    const std::lock_guard lock(mutex_);
    return got_;
}

bool AlertFixture::begin() {
    receiver_ = std::make_unique<Receiver>();
    service_ = std::make_unique<Service>();
    configure();
    return service_->start();
}

void AlertFixture::end() {
    service_.reset();
    receiver_.reset();
}

void AlertFixture::configure(const QString& more, const QString& command) const {
    const auto tell = command.isEmpty() ? QString("\"/bin/sh\", \"-c\", \"cat >> %1; echo >> %1\"")
                                              .arg(service_->host().path("told"))
                                        : command;
    service_->host().configure(
        QString("%1\n[shared_memory.alerts]\njournal = false\ncommand = [ %2 ]\n"
                "webhook = \"http://127.0.0.1:%3/hook\"\n")
            .arg(more, tell)
            .arg(receiver_->port()));
}

bool AlertFixture::set_rule(const QJsonObject& rule) const {
    QFile file(service_->host().path("rule.json"));
    if (!file.open(QIODevice::WriteOnly)) return false;
    file.write(QJsonDocument(rule).toJson());
    file.close();
    const auto done = service_->cli({"alerts", "rules", "set", file.fileName()});
    if (done.status != 0) qWarning("%s", qPrintable(done.err));
    return done.status == 0;
}

bool AlertFixture::change_rule(const QString& name, const QJsonObject& changes) const {
    const auto all = service_->cli_json({"alerts", "rules"})[u"rules"].toArray();
    for (const auto& one : all) {
        auto rule = one.toObject();
        if (rule[u"name"] != name) continue;
        for (const auto& key : changes.keys()) rule[key] = changes[key];
        return set_rule(rule);
    }
    return false;
}

QList<QJsonObject> AlertFixture::alerts_of(const QString& rule, const QString& state,
                                           const QStringList& words) const {
    QList<QJsonObject> out;
    const auto all = service_->cli_json(QStringList{"alerts"} + words)[u"alerts"].toArray();
    for (const auto& alert : all)
        if (alert[u"rule"] == rule && alert[u"state"] == state) out += alert.toObject();
    return out;
}

bool AlertFixture::fires(const QString& rule) const {
    return QTest::qWaitFor([&] { return alerts_of(rule, "firing").size() == 1; }, kPatienceMs);
}

bool AlertFixture::is_resolved(const QString& rule) const {
    return QTest::qWaitFor([&] { return alerts_of(rule, "resolved", {"--history"}).size() == 1; },
                           kPatienceMs);
}

int AlertFixture::told(const QString& what) const {
    (void)QTest::qWaitFor([&] { return receiver_->got().contains(what); }, kPatienceMs);
    return static_cast<int>(receiver_->got().count(what));
}

int AlertFixture::command_told(const QString& rule, const QString& status) const {
    const auto count = [&] {
        QFile file(service_->host().path("told"));
        if (!file.open(QIODevice::ReadOnly)) return 0;
        int out = 0;
        for (const auto& line : file.readAll().split('\n')) {
            const auto message = QJsonDocument::fromJson(line).object();
            out += message[u"rule"] == rule && message[u"status"] == status ? 1 : 0;
        }
        return out;
    };
    (void)QTest::qWaitFor([&] { return count() > 0; }, kPatienceMs);
    return count();
}

int AlertFixture::events(const QString& kind) const {
    return static_cast<int>(
        service_->cli_json({"events", "--kind", kind})[u"events"].toArray().size());
}

QString AlertFixture::allocate() const {
    return service_->cli_json({"allocate", "4096"}).value("id").toString();
}

}  // namespace snakepit::shm::test
