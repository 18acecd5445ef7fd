// SPDX-License-Identifier: MIT
// What the monitor shows of a bundle's alerts and host is in it, as the command line has it.
#include <sys/ipc.h>
#include <sys/shm.h>

#include <QFile>
#include <QJsonArray>
#include <QtTest>

#include "alerts/alert.h"
#include "diagnostics/bundle_reader.h"
#include "diagnostics/host_json.h"
#include "service_fixture.h"

using namespace snakepit::shm;
using test::Service;

class DiagnoseParts : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void init();
    void cleanup() { service_.reset(); }
    void a_bundle_has_what_fired_and_what_is_watched_for();
    void a_bundle_has_the_numbers_of_system_v_segments();

  private:
    QString bundle() const { return service_->host().path("bundle"); }
    test::Finished diagnose(const QStringList& more = {}) const {
        return service_->cli(QStringList{"diagnose", "-o", bundle(), "--json"} + more);
    }

    std::unique_ptr<Service> service_;
};

void DiagnoseParts::init() {
    service_ = std::make_unique<Service>();
    QVERIFY(service_->start());
    QCOMPARE(service_->cli({"allocate", "64KiB"}).status, 0);
}

// The same of a manager that answers and of one that was killed.
void DiagnoseParts::a_bundle_has_what_fired_and_what_is_watched_for() {
    const auto rule = service_->host().path("rule.json");
    {
        QFile file(rule);
        QVERIFY(file.open(QIODevice::WriteOnly));
        file.write(R"({"name":"a-region","metric":"regions","comparison":">=","threshold":1})");
    }
    QCOMPARE(service_->cli({"alerts", "rules", "set", rule}).status, 0);
    const auto fired = [this] {
        return service_->cli_json({"alerts", "--history"})["alerts"].toArray();
    };
    QTRY_COMPARE_WITH_TIMEOUT(fired().size(), 1, test::kPatienceMs);
    const auto number = QString::number(fired().first().toObject()["id"].toInteger());
    QCOMPARE(service_->cli({"alerts", "ack", number, "--comment", "known"}).status, 0);
    QCOMPARE(service_->cli({"alerts", "silence", "--rule", "a-region", "--for", "2h"}).status, 0);
    const auto rules = service_->cli_json({"alerts", "rules"});
    const auto silences = service_->cli_json({"alerts", "silences"});
    for (const bool killed : {false, true}) {
        if (killed) service_->kill();
        QCOMPARE(diagnose({"--force"}).status, 0);
        auto reader = BundleReader::open(bundle().toStdString());
        QVERIFY2(reader, reader ? "" : reader.error().sentence().c_str());
        QCOMPARE(*reader->document("alert_rules.json"), rules);
        QCOMPARE(*reader->document("alert_silences.json"), silences);
        for (const auto* part : {"alerts.json", "alert_history.json"}) {
            const auto text = reader->text(part);
            QVERIFY2(text, part);
            const auto alerts = parse_alerts(*text);
            QVERIFY2(alerts && alerts->size() == 1, text->c_str());
            QCOMPARE(alerts->front().rule, "a-region");
            QCOMPARE(alerts->front().state, Alert::State::firing);
            QCOMPARE(alerts->front().acknowledgement, "known");
        }
        // What is missing says why: nobody was there to be asked.
        const auto performance = reader->text("performance.json");
        QCOMPARE(performance.has_value(), !killed);
        if (killed) QVERIFY(performance.error().message.find("no manager") != std::string::npos);
    }
}

void DiagnoseParts::a_bundle_has_the_numbers_of_system_v_segments() {
    const auto key = static_cast<key_t>(0x5B000000 + QCoreApplication::applicationPid());
    const int segment = ::shmget(key, 4096, IPC_CREAT | IPC_EXCL | 0600);
    QVERIFY(segment >= 0);
    const auto made = diagnose();
    ::shmctl(segment, IPC_RMID, nullptr);
    QVERIFY2(made.status == 0, qPrintable(made.err));
    auto reader = BundleReader::open(bundle().toStdString());
    QVERIFY(reader);
    const auto host = reader->document("host.json");
    QVERIFY(host);
    const auto survey = parse_host(*host);
    QVERIFY2(survey, survey ? "" : survey.error().sentence().c_str());
    const auto name = "sysv:" + std::to_string(segment);
    std::int64_t found = 0;
    for (const auto& one : survey->segments)
        if (one.name == name) found = one.key;
    QCOMPARE(found, std::int64_t{key});
    QCOMPARE(host_json(*survey), *host);
}

QTEST_GUILESS_MAIN(DiagnoseParts)
#include "tst_diagnose_parts.moc"
