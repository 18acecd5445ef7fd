// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/configuration.h"

#include <toml++/toml.h>
#include <QFile>
#include <QJsonArray>
#include <QJsonDocument>
#include <QJsonObject>
#include <QRegularExpression>
#include <algorithm>
#include <map>

#include "config/config.h"
#include "config/config_edit.h"
#include "json/human_values.h"
#include "ui/literals.h"
#include "ui/models/visible_text.h"

namespace snakepit::shm::ui {

namespace {

using Values = std::map<std::string, QJsonValue>;

// The members of all sections, with dots between.
void collect(const QJsonObject& object, const QString& section, Values& out) {
    for (auto it = object.begin(); it != object.end(); ++it) {
        const auto name = section.isEmpty() ? it.key() : section + u'.' + it.key();
        if (it->isObject())
            collect(it->toObject(), name, out);
        else
            out[name.toStdString()] = *it;
    }
}

Values values_in(const std::string& json) {
    Values out;
    const auto document = QJsonDocument::fromJson(QByteArray::fromStdString(json)).object();
    collect(document[u"shared_memory"_s].toObject(), {}, out);
    return out;
}

QString without_markup(QString text) {
    static const QRegularExpression link(u"\\[([^\\]]*)\\]\\([^)]*\\)"_s);
    return text.replace(link, u"\\1"_s).remove(u'`');
}

// The sentences of the manual, by key.
std::map<std::string, QString> read_meanings() {
    std::map<std::string, QString> out;
    QFile file(u":/meanings.toml"_s);
    if (!file.open(QIODevice::ReadOnly)) return out;
    const auto text = file.readAll().toStdString();
    const auto root = toml::parse(text);
    if (const auto* table = root["config"].as_table())
        for (const auto& [key, node] : *table)
            if (const auto meaning = node.value<std::string>())
                out[std::string(key.str())] = without_markup(QString::fromStdString(*meaning));
    return out;
}

// "quotas.default.max_memory" is documented as "quotas.NAME.max_memory", a member of permissions
// with them.
QString meaning_of(const std::string& key) {
    static const auto meanings = read_meanings();
    auto name = key;
    if (name.starts_with("quotas.")) name = "quotas.NAME" + name.substr(name.rfind('.'));
    for (;;) {
        if (const auto found = meanings.find(name); found != meanings.end()) return found->second;
        const auto dot = name.rfind('.');
        if (dot == std::string::npos) return {};
        name.resize(dot);
    }
}

}  // namespace

QString setting_text(const Setting& setting, const QJsonValue& value) {
    const auto key = QString::fromStdString(setting.key);
    const auto dot = key.lastIndexOf(u'.');
    return visible_text(QString::fromStdString(
        human_value(dot < 0 ? QString() : key.left(dot), key.mid(dot + 1), value)));
}

QString literal_text(const QJsonValue& value) {
    if (value.isBool()) return value.toBool() ? u"true"_s : u"false"_s;
    if (value.isDouble()) return QString::number(value.toInteger());
    QStringList parts;
    if (value.isArray()) {
        for (const auto& one : value.toArray()) parts += literal_text(one);
        return u'[' + parts.join(u", "_s) + u']';
    }
    if (value.isObject()) {
        const auto object = value.toObject();
        for (auto it = object.begin(); it != object.end(); ++it)
            parts += u"%1 = %2"_s.arg(it.key(), literal_text(*it));
        return u"{ "_s + parts.join(u", "_s) + u" }"_s;
    }
    const auto list = QJsonDocument(QJsonArray{value}).toJson(QJsonDocument::Compact);
    return QString::fromUtf8(list.mid(1, list.size() - 2));
}

Result<Configuration> describe_configuration(const std::string& file, const std::string& text,
                                             const std::string& active) {
    SHM_ASSIGN(const auto config, Config::parse(text, file));
    const auto values = values_in(config.to_json()), standards = values_in(Config{}.to_json()),
               used = values_in(active);
    const auto set = keys_in(text);
    Configuration out{file, text, true, {}};
    for (const auto& [key, value] : values) {
        Setting setting{key, meaning_of(key), value};
        if (const auto found = standards.find(key); found != standards.end())
            setting.standard = found->second;
        if (const auto found = used.find(key); found != used.end()) setting.active = found->second;
        setting.in_file = std::find(set.begin(), set.end(), key) != set.end();
        setting.waits = waits_for_restart(key);
        out.settings.push_back(std::move(setting));
    }
    return out;
}

Result<SettingChange> change_setting(ConfigurationPort& port, const std::string& key,
                                     const QJsonValue& shown, const std::string& literal) {
    const auto value = [&]() -> Result<QJsonValue> {
        SHM_ASSIGN(const auto now, port.read());
        const auto found = std::find_if(now.settings.begin(), now.settings.end(),
                                        [&](const Setting& one) { return one.key == key; });
        return found == now.settings.end() ? QJsonValue() : found->value;
    };
    SHM_ASSIGN(const auto before, value());
    if (before != shown)
        return fail(ErrorCode::invalid_argument,
                    "this setting was changed in the file since it was shown",
                    "check its value and try again");
    SHM_ASSIGN(auto change, port.set(key, literal));
    SHM_ASSIGN(change.value, value());
    return change;
}

}  // namespace snakepit::shm::ui
