// SPDX-License-Identifier: MIT
// The rules and the dashboard speak of metrics that the service really exports, in expressions that
// Prometheus understands.
#include <QFile>
#include <QJsonArray>
#include <QJsonDocument>
#include <QJsonObject>
#include <QProcess>
#include <QRegularExpression>
#include <QSet>
#include <QStandardPaths>
#include <QTemporaryDir>
#include <QtTest>

#include "telemetry/exposition.h"

using namespace snakepit::shm;

namespace {

const QString kPackaging = QStringLiteral(SNAKEPIT_PACKAGING_DIR);
const QString kRules = kPackaging + "/prometheus/snakepit-shm.rules.yml";

QByteArray contents(const QString& path) {
    QFile file(path);
    return file.open(QIODevice::ReadOnly) ? file.readAll() : QByteArray();
}

// Everything there can be, once.
QSet<QString> exported_names() {
    ExpositionInput input;
    input.at = now();
    input.sample = layout::Sample{};
    input.sample->time = input.at.micros;
    input.use = {{"user", {{"u", 1, 1}}}, {"session", {{"s", 1, 1}}}, {"worker", {{"w", 1, 1}}}};
    input.figures = {{{"timeout", 1}}, {{"rule", "warning", "firing"}}};
    QSet<QString> out;
    for (const auto& family : metric_families(input))
        for (const auto& point : family.points)
            out.insert(QString::fromStdString(family.name_of(point)));
    return out;
}

QSet<QString> names_in(const QString& text) {
    static const QRegularExpression name("\\bsnakepit_shm[_:][a-z0-9_:]*");
    QSet<QString> out;
    for (auto found = name.globalMatch(text); found.hasNext();) out.insert(found.next().captured());
    return out;
}

// What the rules compute for others to use.
QSet<QString> recorded_names() {
    static const QRegularExpression record("- record: (\\S+)");
    QSet<QString> out;
    const auto rules = QString::fromUtf8(contents(kRules));
    for (auto found = record.globalMatch(rules); found.hasNext();)
        out.insert(found.next().captured(1));
    return out;
}

void collect(const QJsonValue& value, const QString& key, QStringList& out) {
    if (value.isString() && (key == "expr" || key == "definition")) out.append(value.toString());
    for (const auto& entry : value.toArray()) collect(entry, key, out);
    const auto object = value.toObject();
    for (auto it = object.begin(); it != object.end(); ++it) collect(it.value(), it.key(), out);
}

QStringList dashboard_expressions() {
    QStringList out;
    collect(QJsonDocument::fromJson(contents(kPackaging + "/grafana/snakepit-shm.json")).object(),
            {}, out);
    return out;
}

// Nothing, or what it complained about.
QString promtool(const QStringList& words) {
    QProcess process;
    process.setProcessChannelMode(QProcess::MergedChannels);
    process.start("promtool", words);
    process.waitForFinished();
    return process.exitCode() == 0 ? QString() : QString::fromUtf8(process.readAll());
}

bool has_promtool() {
    return !QStandardPaths::findExecutable("promtool").isEmpty();
}

}  // namespace

class Dashboards : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void rules_and_panels_name_only_metrics_there_are();
    void rules_are_valid_and_raise_what_they_should();
    void prometheus_understands_every_expression_of_the_dashboard();
    void panels_have_ids_of_their_own_and_the_chosen_source();
};

void Dashboards::rules_and_panels_name_only_metrics_there_are() {
    const auto known = exported_names() + recorded_names();
    QVERIFY(known.size() > 50);
    const auto rules = names_in(QString::fromUtf8(contents(kRules)));
    QVERIFY(rules.size() > 20);
    QCOMPARE(rules - known, QSet<QString>());
    const auto expressions = dashboard_expressions();
    QVERIFY(expressions.size() > 40);
    QCOMPARE(names_in(expressions.join('\n')) - known, QSet<QString>());
    for (const auto& expression : expressions)
        QVERIFY2(!names_in(expression).isEmpty(), qPrintable(expression));
}

void Dashboards::rules_are_valid_and_raise_what_they_should() {
    if (!has_promtool()) QSKIP("promtool is not installed (Debian package prometheus)");
    const auto directory = kPackaging + "/prometheus/";
    QCOMPARE(promtool({"check", "rules", kRules}), QString());
    QCOMPARE(promtool({"test", "rules", directory + "snakepit-shm.rules.test.yml"}), QString());
    QCOMPARE(promtool({"check", "config", "--syntax-only", directory + "prometheus.example.yml"}),
             QString());
}

void Dashboards::prometheus_understands_every_expression_of_the_dashboard() {
    if (!has_promtool()) QSKIP("promtool is not installed (Debian package prometheus)");
    QByteArray rules("groups:\n  - name: dashboard\n    rules:\n");
    int number = 0;
    for (auto expression : dashboard_expressions()) {
        if (expression.startsWith("label_values(")) continue;  // Grafana's own
        expression.replace("$__rate_interval", "5m").replace("$__range", "1h");
        rules += QString("      - {record: 'panel%1', expr: '%2'}\n")
                     .arg(++number)
                     .arg(expression.replace('\'', "''"))
                     .toUtf8();
    }
    const QTemporaryDir dir;
    QFile file(dir.filePath("dashboard.yml"));
    QVERIFY(file.open(QIODevice::WriteOnly));
    file.write(rules);
    file.close();
    QCOMPARE(promtool({"check", "rules", file.fileName()}), QString());
}

void Dashboards::panels_have_ids_of_their_own_and_the_chosen_source() {
    const auto dashboard =
        QJsonDocument::fromJson(contents(kPackaging + "/grafana/snakepit-shm.json")).object();
    QSet<int> ids;
    QSet<QString> rows;
    for (const auto& value : dashboard["panels"].toArray()) {
        const auto panel = value.toObject();
        QVERIFY(!ids.contains(panel["id"].toInt()));
        ids.insert(panel["id"].toInt());
        if (panel["type"] == "row") {
            rows.insert(panel["title"].toString());
        } else {
            QCOMPARE(panel["datasource"].toObject()["uid"].toString(), "${datasource}");
        }
    }
    QCOMPARE(rows, (QSet<QString>{"Overview", "Memory", "Operations", "Alerts and security",
                                  "Recorder"}));
    QStringList variables;
    for (const auto& variable : dashboard["templating"].toObject()["list"].toArray())
        variables.append(variable.toObject()["name"].toString());
    QCOMPARE(variables, (QStringList{"datasource", "instance", "operation"}));
}

QTEST_GUILESS_MAIN(Dashboards)
#include "tst_dashboards.moc"
