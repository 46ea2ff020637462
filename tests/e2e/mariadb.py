"""The original program's database: a MariaDB of the test's own, on a socket and a free port, with the tables as that program makes them."""

import getpass

from frames import ORIGINAL
from harness import free_port, wait_until

COLUMNS = ["timestamp", *ORIGINAL]


def create(name):
    """As the original's SaveToDB.py does."""
    unsigned = "".join(f"`{f}` double unsigned NOT NULL DEFAULT 0, " for f in ORIGINAL[2:-1])
    return (
        f"CREATE TABLE {name} (`id` int(10) unsigned NOT NULL AUTO_INCREMENT, `timestamp` int(10) unsigned NOT NULL DEFAULT 0, "
        f"`WIn` int(10) unsigned NOT NULL DEFAULT 0, `WOut` int(10) unsigned NOT NULL DEFAULT 0, {unsigned}"
        "`PF` double NOT NULL DEFAULT 0, PRIMARY KEY (`id`,`timestamp`), UNIQUE KEY `id_UNIQUE` (`id`)) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;"
    )


class MariaDB:
    def __init__(self, world, *options):
        self.world, self.socket, self.port = world, world.path / "my.sock", free_port()
        data, user = world.path / "mydata", f"--user={getpass.getuser()}"
        tmp = f"--tmpdir={world.path}"  # a server that starts removes the temporary tables of all that share it
        world.tool("mariadb-install-db", "--no-defaults", f"--datadir={data}", user, tmp, "--auth-root-authentication-method=normal",
                   "--skip-test-db", "--innodb-log-file-size=8M", check=True)  # fmt: skip
        self.process = world.start(
            "mariadbd", ["mariadbd", "--no-defaults", f"--datadir={data}", f"--socket={self.socket}", f"--port={self.port}", "--bind-address=127.0.0.1",
                         user, tmp, "--secure-file-priv=", "--skip-name-resolve", "--innodb-log-file-size=8M", "--innodb-buffer-pool-size=32M", "--innodb-flush-log-at-trx-commit=0", *options])  # fmt: skip
        wait_until(lambda: self.client("SELECT 1", check=False).returncode == 0, "MariaDB answers")
        self.sql("CREATE DATABASE smartmeter")
        self.sql("CREATE USER 'reader'@'%' IDENTIFIED BY 'pa;ss''\\\"word'; GRANT SELECT ON smartmeter.* TO 'reader'@'%'")
        self.env = {"IMPORT_DB_HOST": "127.0.0.1", "IMPORT_DB_PORT": str(self.port), "IMPORT_DB_USER": "reader",
                    "IMPORT_DB_PASSWORD": "pa;ss'\"word"}  # fmt: skip

    def client(self, sql, check=True, database=""):
        return self.world.tool("mariadb", "--no-defaults", "-S", self.socket, "-u", "root", "-N", "-B", database, stdin=sql.encode(), check=check)

    def sql(self, sql, database="smartmeter"):
        return self.client(sql, database="" if sql.startswith("CREATE DATABASE") else database).stdout.decode()

    def fill(self, table, rows, database="smartmeter"):
        """A new table with these rows: dicts by COLUMNS."""
        values = ",\n".join("(" + ",".join(str(r[c]) for c in COLUMNS) + ")" for r in rows)
        insert = f"INSERT INTO {table} ({','.join(COLUMNS)}) VALUES {values};" if rows else ""
        self.sql(f"DROP TABLE IF EXISTS {table}; {create(table)} {insert}", database)

    def dump(self, *arguments):
        return self.world.tool("mariadb-dump", "--no-defaults", "-S", self.socket, "-u", "root", *arguments, check=True).stdout
