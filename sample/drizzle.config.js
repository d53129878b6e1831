// Read by `drizzle-kit migrate`, the command of the migrate service.
export default {
  dialect: "postgresql",
  out: "./drizzle",
  dbCredentials: { url: process.env.DATABASE_URL },
};
