import type { CardFault, Instance } from "#runtime";

/** What a worker's model card says is not so. */
export class WrongCard extends Error {
  readonly fault: CardFault;
  /** Whose card it is, where only that one was looked at. */
  readonly instance: Instance | undefined;

  constructor(fault: CardFault, instance?: Instance) {
    super(`'${fault.field}' is wrong: ${fault.reason}`);
    this.name = "WrongCard";
    this.fault = fault;
    this.instance = instance;
  }
}
