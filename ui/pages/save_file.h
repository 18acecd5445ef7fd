// SPDX-License-Identifier: GPL-3.0-or-later
// Where an export goes.
#pragma once

#include <QList>
#include <QString>
#include <optional>

class QWidget;

namespace snakepit::shm::ui {

struct FileType {
    const char *name, *suffix;  // "JSON", "json"
    QString filter() const;     // "JSON (*.json)"
};

struct ChosenFile {
    QString path;
    QString suffix;  // of the type it gets
    // The person was asked whether a file of this name may go.
    bool replace = false;
};

// A known suffix decides; otherwise the type that was chosen, whose suffix is added to a name
// without any.
ChosenFile chosen_file(const QString& typed, const QString& filter, const QList<FileType>& types);
// No value: cancelled.
std::optional<ChosenFile> ask_for_file(QWidget* parent, const QString& title, const QString& name,
                                       const QList<FileType>& types);

}  // namespace snakepit::shm::ui
