/** The command line as a whole: its commands, its global options, how it shows usage. */
import type { Command } from "commander";
import { addExamples, pathArgument, sizeArgument } from "./arguments.ts";
import { addCatalogueCommands } from "./commands/catalogue.ts";
import { addCheckCommand } from "./commands/check.ts";
import { addCompactCommand } from "./commands/compact.ts";
import { addDiffCommand } from "./commands/diff.ts";
import { addDumpCommands } from "./commands/dump.ts";
import { addExportCommand } from "./commands/export.ts";
import { addGrowCommand } from "./commands/grow.ts";
import { addImportCommand } from "./commands/import.ts";
import { addInfoCommand } from "./commands/info.ts";
import { addInitCommand } from "./commands/init.ts";
import { addJournalCommand } from "./commands/journal.ts";
import { addListCommand } from "./commands/list.ts";
import { addMapCommand } from "./commands/map.ts";
import { addMountCommands } from "./commands/mount.ts";
import { addReadCommand } from "./commands/read.ts";
import { addRepairCommand } from "./commands/repair.ts";
import { addServeCommand } from "./commands/serve.ts";
import { addSharingCommands } from "./commands/sharing.ts";
import { addWriteCommand } from "./commands/write.ts";
import type { GlobalOptions, Session } from "./session.ts";
import { packageVersion } from "./version.ts";

/** Fills an empty program in. */
export function buildProgram(program: Command, session: Session): Command {
  program
    .name("blockspace")
    .description(
      "A crash-consistent block store with instant snapshots and clones. STORE is the store's" +
        " directory, NAME a subvolume in it; sizes and offsets are bytes, or as 512M or 10GiB.",
    )
    .version(packageVersion(), "--version", "print the version")
    .helpOption("-h, --help", "show help")
    .helpCommand("help [COMMAND]", "show help for a command")
    .option(
      "--device <PATH>",
      "block device or file that holds the data of the store",
      pathArgument,
    )
    .option(
      "--journal-size <SIZE>",
      "space for the journal of the open store (128MiB)",
      sizeArgument,
    )
    .option("-q, --quiet", "no progress, no reports but those asked for with --json")
    .option("--verbose", "say more on stderr")
    .configureHelp({
      showGlobalOptions: true,
      subcommandTerm: (command) =>
        [command.name(), ...command.registeredArguments.map((argument) => argument.name())].join(
          " ",
        ),
    })
    .configureOutput({
      writeOut: (text) => session.show(text),
      outputError: (text, write) => write(text.replace(/^error: /, "blockspace: ")),
    })
    .showHelpAfterError("(--help shows the usage)")
    .exitOverride();
  // Commands take these settings over at the moment they are added.
  program.hook("preAction", (_program, command) => {
    session.options = command.optsWithGlobals<GlobalOptions>();
  });
  addInitCommand(program, session);
  addInfoCommand(program, session);
  addListCommand(program, session);
  addCatalogueCommands(program, session);
  addSharingCommands(program, session);
  addImportCommand(program, session);
  addExportCommand(program, session);
  addReadCommand(program, session);
  addWriteCommand(program, session);
  addMapCommand(program, session);
  addDiffCommand(program, session);
  addJournalCommand(program, session);
  addCompactCommand(program, session);
  addGrowCommand(program, session);
  addCheckCommand(program, session);
  addRepairCommand(program, session);
  addDumpCommands(program, session);
  addServeCommand(program, session);
  addMountCommands(program, session);
  addExamples(
    program,
    ["blockspace init my-store", "a new store"],
    ["blockspace import my-store disk.img disk", "a disk image becomes a subvolume"],
    ["blockspace snapshot my-store disk disk@monday", "which never changes"],
    ["blockspace clone my-store disk@monday lab", "a writable copy, at once"],
    ["blockspace export my-store lab lab.img", "and back to a file"],
  );
  return program;
}
