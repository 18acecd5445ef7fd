// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/pages/save_file.h"

#include <QFileDialog>
#include <QFileInfo>
#include <algorithm>

#include "ui/literals.h"

namespace snakepit::shm::ui {

QString FileType::filter() const {
    return u"%1 (*.%2)"_s.arg(QLatin1String(name), QLatin1String(suffix));
}

ChosenFile chosen_file(const QString& typed, const QString& filter, const QList<FileType>& types) {
    const auto ending = QFileInfo(typed).suffix().toLower();
    for (const auto& type : types)
        if (ending == QLatin1String(type.suffix)) return {typed, ending, QFileInfo::exists(typed)};
    const auto chosen = std::find_if(types.begin(), types.end(), [&filter](const FileType& type) {
        return type.filter() == filter;
    });
    const auto suffix =
        QString::fromLatin1(chosen == types.end() ? types.front().suffix : chosen->suffix);
    // Of a name that was not typed nobody was asked.
    if (ending.isEmpty()) return {typed + u'.' + suffix, suffix, false};
    return {typed, suffix, QFileInfo::exists(typed)};
}

std::optional<ChosenFile> ask_for_file(QWidget* parent, const QString& title, const QString& name,
                                       const QList<FileType>& types) {
    QStringList filters;
    for (const auto& type : types) filters << type.filter();
    QString filter;
    const auto typed =
        QFileDialog::getSaveFileName(parent, title, name, filters.join(u";;"_s), &filter);
    if (typed.isEmpty()) return std::nullopt;
    return chosen_file(typed, filter, types);
}

}  // namespace snakepit::shm::ui
