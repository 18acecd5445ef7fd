// SPDX-License-Identifier: MIT
// Metrics as others get them: over HTTP, as a file, from the command line, and in a real
// Prometheus.
#include <QDir>
#include <QFile>
#include <QJsonArray>
#include <QJsonDocument>
#include <QtTest>

#include <optional>
#include <vector>

#include <httplib.h>

#include "http_tools.h"
#include "journal_socket.h"
#include "service_fixture.h"

using namespace snakepit::shm::test;
using snakepit::shm::Handle;

namespace {

constexpr const char* kOpenMetrics = "application/openmetrics-text";

QString telemetry_on(const QString& lines) {
    return "telemetry_enabled = true\n[shared_memory.telemetry]\n" + lines;
}
QString listening_at(int port) {
    return QString("listen = \"127.0.0.1:%1\"\n").arg(port);
}

}  // namespace

class Telemetry : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void init();
    void cleanup() { service_.reset(); }
    void metrics_are_served_where_configured_and_nowhere_else();
    void promtool_finds_nothing_to_complain_about();
    void the_command_line_prints_the_same_metrics();
    void a_real_prometheus_scrapes_and_answers_with_the_right_value();
    void a_hundred_slow_connections_hold_nobody_up();
    void hostile_requests_are_answered_or_closed();
    void an_occupied_port_is_told_and_had_when_it_is_free();
    void a_bad_address_is_refused_and_the_old_one_stays();
    void a_file_that_cannot_be_written_is_told();
    void a_reload_turns_it_on_and_off();
    void important_events_reach_the_journal();

  private:
    QJsonObject telemetry() const { return service_->cli_json({"status"})["telemetry"].toObject(); }
    // The port metrics are served at, once they are; 0: never.
    int served_port() const;
    int start_listening();
    httplib::Result get(int port, const char* path, const httplib::Headers& headers = {}) const {
        return httplib::Client("127.0.0.1", port).Get(path, headers);
    }
    bool serves(int port) const {
        const auto answer = get(port, "/metrics");
        return answer && answer->status == 200;
    }
    QByteArray scraped(int port) const {
        const auto answer = get(port, "/metrics");
        return answer ? QByteArray::fromStdString(answer->body) : QByteArray();
    }

    std::unique_ptr<Service> service_;
};

void Telemetry::init() {
    service_ = std::make_unique<Service>();
}

int Telemetry::served_port() const {
    QString url;
    (void)QTest::qWaitFor([&] { return !(url = telemetry()["url"].toString()).isEmpty(); },
                          kPatienceMs);
    return url.section(':', 2).section('/', 0, 0).toInt();
}

int Telemetry::start_listening() {
    service_->host().configure(telemetry_on(listening_at(0)));
    return service_->start() ? served_port() : 0;
}

void Telemetry::metrics_are_served_where_configured_and_nowhere_else() {
    const int port = start_listening();
    QVERIFY(port > 0);
    QCOMPARE(service_->cli({"allocate", "1MiB", "--count", "3"}).status, 0);
    QTRY_VERIFY_WITH_TIMEOUT(scraped(port).contains("\nsnakepit_shm_regions 3\n"), kPatienceMs);
    const auto text = scraped(port);
    QVERIFY(text.contains("\nsnakepit_shm_up 1\n"));
    QVERIFY(text.contains("snakepit_shm_user_bytes{user="));
    QVERIFY(text.contains("snakepit_shm_operation_duration_seconds_bucket{operation=\"allocate\""));

    const auto plain = get(port, "/metrics");
    QCOMPARE(plain->get_header_value("Content-Type"),
             std::string("text/plain; version=0.0.4; charset=utf-8"));
    const auto open = get(port, "/metrics", {{"Accept", kOpenMetrics}});
    QVERIFY(open->get_header_value("Content-Type").starts_with(kOpenMetrics));
    QVERIFY(open->body.ends_with("# EOF\n"));

    QCOMPARE(get(port, "/-/healthy")->status, 200);
    QVERIFY(get(port, "/")->body.find("/metrics") != std::string::npos);
    for (const auto* path : {"/metrics/", "/metric", "/../etc/passwd", "/favicon.ico"})
        QCOMPARE(get(port, path)->status, 404);
    httplib::Client client("127.0.0.1", port);
    const auto head = client.Head("/metrics");
    QVERIFY(head && head->status == 200 && head->body.empty());
    QCOMPARE(client.Delete("/metrics")->status, 405);
    QCOMPARE(client.Options("/metrics")->status, 405);
}

void Telemetry::promtool_finds_nothing_to_complain_about() {
    if (!installed("promtool")) QSKIP("promtool is not installed (Debian package prometheus)");
    const int port = start_listening();
    QVERIFY(port > 0);
    QCOMPARE(service_->cli({"allocate", "1MiB"}).status, 0);
    QCOMPARE(service_->cli({"allocate", "999GiB"}).status, 1);
    QTRY_VERIFY_WITH_TIMEOUT(scraped(port).contains("snakepit_shm_errors_by_type_total{"),
                             kPatienceMs);
    QVERIFY(scraped(port).contains("\nsnakepit_shm_regions 1\n"));
    QCOMPARE(complaints_of_promtool(scraped(port)), QString());
    const auto printed = service_->cli({"metrics"});
    QCOMPARE(complaints_of_promtool(printed.out.toUtf8()), QString());
}

void Telemetry::the_command_line_prints_the_same_metrics() {
    QCOMPARE(service_->cli({"metrics"}).status, 3);
    const int port = start_listening();
    QVERIFY(port > 0);
    QCOMPARE(service_->cli({"allocate", "1MiB"}).status, 0);
    QTRY_VERIFY_WITH_TIMEOUT(scraped(port).contains("\nsnakepit_shm_regions 1\n"), kPatienceMs);
    const auto names = [](const QString& text) {
        QStringList out;
        for (const auto& line : text.split('\n')) out.append(line.section(' ', 0, -2));
        return out;
    };
    QCOMPARE(names(service_->cli({"metrics"}).out), names(scraped(port)));
    QVERIFY(service_->cli({"metrics", "--openmetrics"}).out.endsWith("# EOF\n"));
    const auto metrics = service_->cli_json({"metrics"})["metrics"].toArray();
    QVERIFY(metrics.size() > 50);
    const auto found = std::find_if(metrics.begin(), metrics.end(), [](const auto& metric) {
        return metric.toObject()["name"] == "snakepit_shm_regions";
    });
    QVERIFY(found != metrics.end());
    QCOMPARE((*found).toObject()["value"].toInt(), 1);
}

void Telemetry::a_real_prometheus_scrapes_and_answers_with_the_right_value() {
    if (!installed("prometheus")) QSKIP("prometheus is not installed");
    const int port = start_listening();
    QVERIFY(port > 0);
    QCOMPARE(service_->cli({"allocate", "1MiB", "--count", "5"}).status, 0);
    const auto& host = service_->host();
    QFile config(host.path("prometheus.yml"));
    QVERIFY(config.open(QIODevice::WriteOnly));
    config.write(
        QString("global: {scrape_interval: 1s, evaluation_interval: 1s}\n"
                "rule_files: ['%2']\n"
                "scrape_configs:\n"
                "  - job_name: snakepit-shm\n"
                "    static_configs: [{targets: ['127.0.0.1:%1']}]\n")
            .arg(port)
            .arg(QStringLiteral(SNAKEPIT_PACKAGING_DIR) + "/prometheus/snakepit-shm.rules.yml")
            .toUtf8());
    config.close();
    const int own = free_port();
    Peer prometheus(
        "prometheus",
        {"--config.file=" + config.fileName(), "--storage.tsdb.path=" + host.path("prometheus"),
         QString("--web.listen-address=127.0.0.1:%1").arg(own), "--log.level=warn"},
        host.environment("test"));
    const auto ask = [&](const QString& path) {
        const auto answer = get(own, path.toUtf8().constData());
        return answer ? QJsonDocument::fromJson(QByteArray::fromStdString(answer->body))
                            .object()["data"]
                            .toObject()
                      : QJsonObject();
    };
    const auto value = [&](const QByteArray& query) {
        const auto result =
            ask("/api/v1/query?query=" + query.toPercentEncoding())["result"].toArray();
        return result.isEmpty() ? QString() : result[0].toObject()["value"].toArray()[1].toString();
    };
    QTRY_COMPARE_WITH_TIMEOUT(value("snakepit_shm_regions"), "5", kPatienceMs);
    QCOMPARE(value("sum(snakepit_shm_user_bytes)"), "5242880");
    QCOMPARE(value("snakepit_shm_operation_duration_seconds_bucket"
                   "{operation='allocate',le='+Inf'} - on(operation) "
                   "snakepit_shm_operation_duration_seconds_count"),
             "0");
    const auto target = ask("/api/v1/targets")["activeTargets"].toArray()[0].toObject();
    QCOMPARE(target["health"].toString(), "up");
    QCOMPARE(target["lastError"].toString(), "");
    // The rules that come with it are computed from what it exports.
    QTRY_VERIFY_WITH_TIMEOUT(!value("snakepit_shm:host_shm:ratio").isEmpty(), kPatienceMs);
    QCOMPARE(prometheus.end(SIGTERM).status, 0);
}

void Telemetry::a_hundred_slow_connections_hold_nobody_up() {
    const int port = start_listening();
    QVERIFY(port > 0);
    std::vector<Handle> slow;
    for (int i = 0; i < 100; ++i) {
        slow.push_back(connection(port, i % 2 == 0 ? "GET /metrics HTTP/1.1\r\nHost: x" : ""));
        QVERIFY(slow.back());
    }
    httplib::Client client("127.0.0.1", port);
    client.set_read_timeout(2);
    for (int i = 0; i < 20; ++i) {
        const auto answer = client.Get("/metrics");
        QVERIFY(answer);
        QCOMPARE(answer->status, 200);
    }
    QCOMPARE(service_->cli({"allocate", "4096"}).status, 0);
    // And they are not kept for ever.
    for (const auto& socket : slow) QCOMPARE(read_all(socket), QByteArray());
}

void Telemetry::hostile_requests_are_answered_or_closed() {
    const int port = start_listening();
    QVERIFY(port > 0);
    const auto first_line = [&](const QByteArray& request) {
        const auto answer = read_all(connection(port, request));
        return answer.left(answer.indexOf('\r'));
    };
    QVERIFY(first_line("GET /metrics HTTP/1.1\r\nX: " + QByteArray(100'000, 'a'))
                .startsWith("HTTP/1.1 431"));
    QVERIFY(first_line(QByteArray("GET /") + QByteArray(3000, 'a') + " HTTP/1.1\r\n\r\n")
                .startsWith("HTTP/1.1 4"));
    QVERIFY(first_line("NONSENSE\r\n\r\n").startsWith("HTTP/1.1 400"));
    QVERIFY(first_line(QByteArray("\0\xFF\x80\r\n\r\n", 7)).startsWith("HTTP/1.1 400"));
    QVERIFY(first_line("POST /metrics HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n")
                .startsWith("HTTP/1.1 405"));
    // Many times the whole, were it granted.
    QByteArray ranges("bytes=0-");
    for (int i = 0; i < 800; ++i) ranges += ",0-";
    const auto request = "GET /metrics HTTP/1.1\r\nRange: " + ranges + "\r\n\r\n";
    QVERIFY(read_all(connection(port, request)).size() < 200'000);
    QVERIFY(serves(port));
}

void Telemetry::an_occupied_port_is_told_and_had_when_it_is_free() {
    Occupied occupied;
    service_->host().configure(telemetry_on(listening_at(occupied.port())));
    QVERIFY(service_->start());
    const auto problems = [&] { return telemetry()["problems"].toArray(); };
    QTRY_COMPARE_WITH_TIMEOUT(problems().size(), 1, kPatienceMs);
    const auto sentence = problems()[0].toString();
    QVERIFY2(sentence.contains(QString::number(occupied.port())), qPrintable(sentence));
    QVERIFY2(sentence.contains("in use"), qPrintable(sentence));
    const auto health = service_->cli({"health"});
    QCOMPARE(health.status, 5);
    QVERIFY(health.out.contains("in use"));
    const auto events = [&](const QString& kind) {
        return service_->cli_json({"events", "--kind", kind})["events"].toArray();
    };
    QTRY_COMPARE_WITH_TIMEOUT(events("telemetry_failed").size(), 1, kPatienceMs);
    QCOMPARE(events("telemetry_failed")[0].toObject()["result"], "telemetry_unavailable");
    QCOMPARE(service_->cli({"allocate", "4096"}).status, 0);  // it goes on
    occupied.release();
    QTRY_VERIFY_WITH_TIMEOUT(serves(occupied.port()), kPatienceMs);
    QCOMPARE(service_->cli({"health"}).status, 0);
    QTRY_COMPARE_WITH_TIMEOUT(events("telemetry_works").size(), 1, kPatienceMs);
}

void Telemetry::a_bad_address_is_refused_and_the_old_one_stays() {
    const int port = start_listening();
    QVERIFY(port > 0);
    for (const auto* address :
         {"0.0.0.0:9847", "192.0.2.1:9847", "example.com:80", "127.0.0.1", "127.0.0.1:99999",
          "[::]:1", "::1:9847", "127.0.0.1:9847x", ":9847", "[::1:9847"}) {
        service_->host().configure(telemetry_on(QString("listen = \"%1\"\n").arg(address)));
        const auto refused = service_->cli({"config", "reload"});
        QCOMPARE(refused.status, 1);
        QVERIFY2(refused.err.contains("config.toml:4:10:"), qPrintable(refused.err));
        QCOMPARE(service_->cli({"config", "check"}).status, 1);
    }
    QVERIFY(serves(port));
    // One that may be given, and is none of this host's.
    service_->host().configure(telemetry_on("listen = \"192.0.2.1:9847\"\nallow_remote = true\n"));
    QCOMPARE(service_->cli({"config", "reload"}).status, 0);
    QTRY_COMPARE_WITH_TIMEOUT(telemetry()["problems"].toArray().size(), 1, kPatienceMs);
    QVERIFY(!serves(port));
}

void Telemetry::a_file_that_cannot_be_written_is_told() {
    const auto directory = service_->host().path("collector");
    const auto file = directory + "/snakepit_shm.prom";
    service_->host().configure(
        telemetry_on(QString("textfile = \"%1\"\ninterval = \"1s\"\n").arg(file)));
    QVERIFY(service_->start());
    QTRY_COMPARE_WITH_TIMEOUT(telemetry()["problems"].toArray().size(), 1, kPatienceMs);
    QVERIFY(telemetry()["problems"].toArray()[0].toString().contains(directory));
    QVERIFY(QDir().mkpath(directory));
    QTRY_VERIFY_WITH_TIMEOUT(QFile::exists(file), kPatienceMs);
    QTRY_COMPARE_WITH_TIMEOUT(telemetry()["problems"].toArray().size(), 0, kPatienceMs);
    const auto contents = [&] {
        QFile text(file);
        return text.open(QIODevice::ReadOnly) ? text.readAll() : QByteArray();
    };
    QTRY_VERIFY_WITH_TIMEOUT(contents().contains("\nsnakepit_shm_up 1\n"), kPatienceMs);
    QVERIFY(QFile(file).permissions() & QFileDevice::ReadOther);
    if (installed("promtool")) QCOMPARE(complaints_of_promtool(contents()), QString());
    QCOMPARE(QDir(directory).entryList(QDir::Files), QStringList{"snakepit_shm.prom"});
    service_->stop();
    QVERIFY(QDir(directory).entryList(QDir::Files).isEmpty());
}

void Telemetry::a_reload_turns_it_on_and_off() {
    QVERIFY(service_->start());
    QCOMPARE(telemetry()["url"].toString(), "");
    const auto reload = [&](const QString& lines) {
        service_->host().configure(lines);
        return service_->cli({"config", "reload"}).status;
    };
    const int port = free_port();
    QCOMPARE(reload(telemetry_on(listening_at(port))), 0);
    QTRY_VERIFY_WITH_TIMEOUT(serves(port), kPatienceMs);
    QVERIFY(!scraped(port).contains("snakepit_shm_session_regions"));
    QCOMPARE(reload("telemetry_enabled = false\n[shared_memory.telemetry]\n" + listening_at(port)),
             0);
    QTRY_VERIFY_WITH_TIMEOUT(!serves(port), kPatienceMs);
    QCOMPARE(telemetry()["url"].toString(), "");
    const int other = free_port();
    QCOMPARE(reload(telemetry_on(listening_at(other) + "labels = []\n")), 0);
    QTRY_VERIFY_WITH_TIMEOUT(serves(other), kPatienceMs);
    QCOMPARE(service_->cli({"allocate", "4096"}).status, 0);
    QVERIFY(!scraped(other).contains("snakepit_shm_user_regions"));
    QCOMPARE(reload({}), 0);
    QTRY_VERIFY_WITH_TIMEOUT(!serves(other), kPatienceMs);
}

void Telemetry::important_events_reach_the_journal() {
    const auto path = service_->host().path("journal.sock");
    JournalSocket journal(path.toStdString());
    QVERIFY(journal.bound());
    const QString lines =
        QString("[shared_memory.telemetry]\njournal = true\njournal_socket = \"%1\"\n").arg(path);
    service_->host().configure(lines);
    QVERIFY(service_->start());
    service_->host().configure(lines + "nonsense = 1\n");
    QCOMPARE(service_->cli({"config", "reload"}).status, 1);
    std::optional<JournalMessage> got;
    QVERIFY(QTest::qWaitFor([&] { return (got = journal.next()).has_value(); }, kPatienceMs));
    auto& message = *got;
    QCOMPARE(message["SNAKEPIT_EVENT"], std::string("config_refused"));
    QCOMPARE(message["SNAKEPIT_INSTANCE"], std::string("test"));
    QCOMPARE(message["PRIORITY"], std::string("4"));
    QVERIFY(message["MESSAGE"].find("config refused: /") != std::string::npos);
}

QTEST_GUILESS_MAIN(Telemetry)
#include "tst_telemetry.moc"
