// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/commands.h"

#include <QRegularExpression>
#include <mutex>

#include "ui/literals.h"
#include "ui/models/visible_text.h"

namespace snakepit::shm::ui {

namespace {

std::mutex mutex;
QString option;  // with a space in front; empty: the default instance

QString instance_option() {
    const std::lock_guard lock(mutex);
    return option;
}

}  // namespace

void set_command_instance(const QString& instance) {
    const std::lock_guard lock(mutex);
    option = instance == u"default" ? QString() : u" --instance %1"_s.arg(shell_word(instance));
}

QString command_line(const QString& words) {
    return u"snakepit-shm%1 %2"_s.arg(instance_option(), words);
}

// `host` is about the whole machine.
QString with_instance(QString sentence) {
    static const QRegularExpression quoted(u"'snakepit-shm (?!host\\b)"_s);
    const auto instance = instance_option();
    if (instance.isEmpty() || sentence.contains(u"--instance"_s)) return sentence;
    return sentence.replace(quoted, u"'snakepit-shm%1 "_s.arg(instance));
}

}  // namespace snakepit::shm::ui
